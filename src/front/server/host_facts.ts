/**
 * What the operating system says about this process and machine. Where a
 * permission is missing (the server may run inside somebody's program) a fact is
 * unknown rather than an error.
 *
 * @module
 */

/** Processor time, in seconds. */
export interface CpuTimes {
  readonly user: number;
  readonly system: number;
}

/** Clock ticks of /proc in a second: USER_HZ, the same on all of Linux. */
const TICKS_PER_SECOND = 100;

/** `Linux 6.1.0 x86_64` */
export function osName(): string {
  const { os, arch } = Deno.build;
  const name = os === "linux" ? "Linux" : os === "darwin" ? "Darwin" : os;
  return `${name} ${known(Deno.osRelease, "unknown")} ${arch}`;
}

/** Whether the system's library can be called: that of Linux, and it is allowed. */
export function mayCallSystem(): boolean {
  return Deno.build.os === "linux" &&
    Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

/** What the system said, without the number and the call that was made. */
export function systemReason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replace(/ \(os error \d+\).*$/s, "");
}

/** Bytes of main memory, 0 if unknown. */
export function machineBytes(): number {
  return known(() => Deno.systemMemoryInfo().total, 0);
}

/** Path of the running program. */
export function executablePath(): string {
  return known(Deno.execPath, "");
}

/** Resident bytes of the process. */
export function residentBytes(): number {
  return known(() => Deno.memoryUsage().rss, 0);
}

/** Processor time of all threads; zeros where there is no /proc. */
export function processTimes(): CpuTimes {
  return timesOf(`/proc/${Deno.pid}/stat`) ?? { user: 0, system: 0 };
}

/** Processor time of the main thread; null where there is no /proc. */
export function mainThreadTimes(): CpuTimes | null {
  return timesOf(`/proc/${Deno.pid}/task/${Deno.pid}/stat`);
}

function timesOf(path: string): CpuTimes | null {
  return known(() => {
    const stat = Deno.readTextFileSync(path);
    // The second field is the program's name, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      user: Number(fields[11]) / TICKS_PER_SECOND,
      system: Number(fields[12]) / TICKS_PER_SECOND,
    };
  }, null);
}

function known<T>(ask: () => T, otherwise: T): T {
  try {
    return ask();
  } catch {
    return otherwise;
  }
}
