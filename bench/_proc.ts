/**
 * Server processes under measurement: started on a free loopback port,
 * watched through /proc, and stopped.
 *
 * CPU time is the sum of `/proc/PID/task/TID/schedstat` (nanoseconds on a CPU,
 * per thread). `/proc/PID/stat` counts the same for the whole process, threads
 * that have ended included, but in ticks of 10 ms; it takes over when a thread
 * ended during the interval, or when it shows time that no thread accounts for.
 *
 * What is measured must be the server itself: {@linkcode startServer} accepts
 * an answer to PING only if every listener on the port is a socket of the
 * process that was started. That rejects a wrapper (a shell, `npx`) whose child
 * does the work unseen, and a stranger's server that happens to hold the port.
 *
 * @module
 */

/** How to start a server. */
export interface ServerSpec {
  /** What the report calls it. */
  name: string;
  /** Argument vector, with `{port}` where the port goes. */
  command: string[];
  /** Working directory. */
  cwd: string;
  /** How long it may take to answer, in milliseconds; 20 seconds by default. */
  readyMs?: number;
}

/** CPU time of a process at one moment. */
export interface CpuTimes {
  /** Nanoseconds per thread id. */
  threadNs: Map<string, number>;
  /** User and system time of the process, in steps of a tick. */
  processMs: number;
}

/** CPU time spent in an interval. */
export interface CpuSpent {
  /** Milliseconds, all threads. */
  cpuMs: number;
  /** False if it had to be counted in ticks. */
  exact: boolean;
}

const TICK_MS = 10; // The kernel reports USER_HZ = 100 on every architecture.
const READY_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5_000;
const SERVER_OUTPUT_BYTES_MAX = 4_096;
const PING = new TextEncoder().encode("*1\r\n$4\r\nPING\r\n");

const running = new Set<Deno.ChildProcess>();

/** Resolves after `ms` milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A started server; `await using` stops it. */
export class Server {
  readonly #process: Deno.ChildProcess;

  constructor(
    readonly name: string,
    readonly port: number,
    /** From before exec until the first answer to PING. */
    readonly startupMs: number,
    process: Deno.ChildProcess,
  ) {
    this.#process = process;
  }

  /** Reads the CPU time consumed so far. */
  cpuTimes(): CpuTimes {
    const pid = this.#process.pid;
    const threadNs = new Map<string, number>();
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      const text = readIfPresent(`/proc/${pid}/task/${name}/schedstat`);
      if (text !== undefined) threadNs.set(name, parseInt(text, 10));
    }
    const fields = statFields(pid);
    return { threadNs, processMs: (fields[11]! + fields[12]!) * TICK_MS };
  }

  /** Reads the resident memory. */
  residentBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.#process.pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** Ends the process, by force if it does not end when asked. */
  async [Symbol.asyncDispose](): Promise<void> {
    signal(this.#process, "SIGTERM");
    const timer = setTimeout(
      () => signal(this.#process, "SIGKILL"),
      STOP_TIMEOUT_MS,
    );
    await this.#process.status;
    clearTimeout(timer);
    running.delete(this.#process);
  }
}

/** Starts a server and waits until it answers PING. */
export async function startServer(spec: ServerSpec): Promise<Server> {
  const port = freePort();
  const argv = spec.command.map((arg) => arg.replaceAll("{port}", `${port}`));
  const startMs = performance.now();
  const process = new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    cwd: spec.cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // A process group of its own, so that a wrapper's children end with it.
    detached: true,
  }).spawn();
  running.add(process);
  const output = [keepTail(process.stdout), keepTail(process.stderr)];
  let ended = false;
  process.status.then(() => ended = true);

  while (!await answersPing(port)) {
    const waitedMs = performance.now() - startMs;
    if (ended || waitedMs > (spec.readyMs ?? READY_TIMEOUT_MS)) break;
    // Who loads for long is not to be kept from it.
    await sleep(Math.max(1, waitedMs / 200));
  }
  const startupMs = performance.now() - startMs;
  const server = new Server(spec.name, port, startupMs, process);
  if (!ended && ownsPort(process.pid, port)) return server;

  await server[Symbol.asyncDispose]();
  const printed = (await Promise.all(output)).join("").trim();
  const reason = ended
    ? "it ended, or never answered"
    : "the port is not held by the started process itself (a wrapper?)";
  throw new Error(
    `cannot start ${spec.name}: ${reason}: ${argv.join(" ")}\n${printed}`,
  );
}

/** Kills whatever is still running, for exits that skip `await using`. */
export function killAll(): void {
  for (const process of running) signal(process, "SIGKILL");
}

/** CPU time spent between two readings of one process. */
export function cpuBetween(before: CpuTimes, after: CpuTimes): CpuSpent {
  const processMs = after.processMs - before.processMs;
  let ns = 0;
  for (const [thread, value] of after.threadNs) {
    ns += value - (before.threadNs.get(thread) ?? 0);
  }
  const cpuMs = ns / 1e6;
  const lostThread = [...before.threadNs.keys()]
    .some((thread) => !after.threadNs.has(thread));
  // User and system time are rounded apart, hence two ticks at either end.
  const exact = !lostThread && processMs - cpuMs <= 4 * TICK_MS;
  return exact ? { cpuMs, exact } : { cpuMs: processMs, exact };
}

/**
 * CPU time the whole machine has spent, its hypervisor's other guests (steal)
 * included, less that of this process and of the children it has waited for.
 */
export function othersCpuMs(): number {
  const [total] = Deno.readTextFileSync("/proc/stat").split("\n");
  const [user, nice, system, , , irq, softirq, steal] = total!.split(/\s+/)
    .slice(1).map(Number);
  const busy = user! + nice! + system! + irq! + softirq! + steal!;
  const own = statFields("self").slice(11, 15).reduce((a, b) => a + b, 0);
  return (busy - own) * TICK_MS;
}

/**
 * Waits until every server is idle (rehashing, compiling and collecting go on
 * after the last reply), for at most five seconds.
 */
export async function settle(servers: readonly Server[]): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const before = servers.map((server) => server.cpuTimes());
    await sleep(100);
    const busy = servers.some((server, index) =>
      cpuBetween(before[index]!, server.cpuTimes()).cpuMs > 2
    );
    if (!busy) return;
  }
}

/**
 * The fields of `/proc/PID/stat` from the third on; user and system time have
 * indices 11 and 12, those of children waited for 13 and 14.
 */
function statFields(pid: number | "self"): number[] {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The second field is the program's name and may contain spaces.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function answersPing(port: number): Promise<boolean> {
  try {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(PING);
    const reply = new Uint8Array(64);
    const length = await conn.read(reply);
    return length !== null && reply[0] === 0x2b; // "+"
  } catch (error) {
    if (
      error instanceof Deno.errors.ConnectionRefused ||
      error instanceof Deno.errors.ConnectionReset
    ) return false;
    throw error;
  }
}

function ownsPort(pid: number, port: number): boolean {
  const suffix = ":" + port.toString(16).toUpperCase().padStart(4, "0");
  const inodes: string[] = [];
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of (readIfPresent(table) ?? "").split("\n")) {
      const fields = line.trim().split(/\s+/);
      const listening = fields[3] === "0A";
      if (listening && fields[1]!.endsWith(suffix)) inodes.push(fields[9]!);
    }
  }
  const held = new Set<string>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      held.add(Deno.readLinkSync(`/proc/${pid}/fd/${name}`));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return inodes.length > 0 &&
    inodes.every((inode) => held.has(`socket:[${inode}]`));
}

/** Reads a stream to its end and keeps the last of it, for error messages. */
async function keepTail(stream: ReadableStream<Uint8Array>): Promise<string> {
  let tail = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    tail = (tail + text).slice(-SERVER_OUTPUT_BYTES_MAX);
  }
  return tail;
}

/** A file's text, or nothing if the thread behind it has just ended. */
function readIfPresent(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    // Reading a /proc file of a thread that ended after open() gives ESRCH.
    if ((error as { code?: string }).code === "ESRCH") return undefined;
    throw error;
  }
}

/** Signals the whole process group; without effect once it has ended. */
function signal(process: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    Deno.kill(-process.pid, name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
