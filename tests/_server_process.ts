/**
 * A server as a child process. Its output goes to files in a directory of its
 * own, not through pipes: a pipe would need a reader for as long as the server
 * lives, which test sanitizers see as work leaking from one test into another,
 * and a pipe that nobody reads stops the server once it is full.
 *
 * @module
 */
import { PATIENCE_MS, pause } from "./_patience.ts";

/** Free ports that are tried. */
const ATTEMPTS = 10;

/** What to start, and how to see that it is ready. */
export interface ProcessOptions {
  /**
   * Program and arguments; `{dir}` stands for the server's own directory, `{port}`
   * for a free port.
   */
  command: readonly string[];
  cwd?: string;
  /** The first line of standard output that matches means: ready. */
  ready: RegExp;
}

/** A running server process. */
export class ServerProcess implements AsyncDisposable {
  /** The match of the line that said that the server is ready. */
  readonly ready: RegExpMatchArray;
  /** What stood for `{port}`. */
  readonly port: number;
  /** A directory of the server's own, removed when it stops. */
  readonly directory: string;
  readonly #child: Deno.ChildProcess;
  readonly #exited: Promise<Deno.CommandStatus>;
  #status: Deno.CommandStatus | null = null;
  #finalOutput: { stdout: string; stderr: string } | null = null;

  private constructor(
    child: Deno.ChildProcess,
    directory: string,
    port: number,
    ready: RegExpMatchArray,
  ) {
    this.#child = child;
    this.port = port;
    this.directory = directory;
    this.ready = ready;
    this.#exited = child.status.then((status) => this.#status = status);
  }

  /** Starts a server and waits until it says that it is ready. */
  static async start(options: ProcessOptions): Promise<ServerProcess> {
    // Someone else may take the port between finding it and listening on it.
    for (let attempt = 1;; attempt++) {
      try {
        return await ServerProcess.#startOnce(options, String(findFreePort()));
      } catch (error) {
        const isTaken = /address already in use/i.test(String(error));
        if (!isTaken || attempt === ATTEMPTS) throw error;
      }
    }
  }

  static async #startOnce(
    options: ProcessOptions,
    port: string,
  ): Promise<ServerProcess> {
    const directory = Deno.makeTempDirSync({ prefix: "sherd_test_" });
    const child = new Deno.Command("/bin/sh", {
      args: [
        "-c",
        'out="$1" err="$2"; shift 2; exec "$@" >"$out" 2>"$err"',
        "sh",
        `${directory}/stdout.log`,
        `${directory}/stderr.log`,
        ...options.command.map((part) =>
          part.replaceAll("{dir}", directory).replaceAll("{port}", port)
        ),
      ],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const ready = await awaitLine(child, directory, options);
      return new ServerProcess(child, directory, Number(port), ready);
    } catch (error) {
      try {
        child.kill("SIGKILL");
      } catch { /* it ended by itself, which is why we are here */ }
      await child.status;
      Deno.removeSync(directory, { recursive: true });
      throw error;
    }
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** All that the server has written to standard output so far. */
  get stdout(): string {
    return this.#finalOutput?.stdout ?? readLog(this.directory, "stdout");
  }

  /** All that the server has written to standard error so far. */
  get stderr(): string {
    return this.#finalOutput?.stderr ?? readLog(this.directory, "stderr");
  }

  /** How the process ended, null while it runs. */
  get status(): Deno.CommandStatus | null {
    return this.#status;
  }

  /** Resolves when the process has ended, by itself or not. */
  get exited(): Promise<Deno.CommandStatus> {
    return this.#exited;
  }

  /** Sends a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Asks the server to end (SIGTERM), insists after the limit (SIGKILL). */
  async stop(limitMs = PATIENCE_MS): Promise<Deno.CommandStatus> {
    if (this.#finalOutput !== null) return await this.#exited;
    if (this.#status === null) this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), limitMs);
    const status = await this.#exited;
    clearTimeout(timer);
    this.#finalOutput = { stdout: this.stdout, stderr: this.stderr };
    Deno.removeSync(this.directory, { recursive: true });
    return status;
  }

  /** Stops the server; a server that ended by itself before is an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    const wasRunning = this.#status === null;
    const status = await this.stop();
    if (!wasRunning && !status.success) {
      throw new Error(`Server ended by itself: ${describe(status, this)}`);
    }
  }
}

/** A TCP port on loopback that nobody listens on at this moment. */
function findFreePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

async function awaitLine(
  child: Deno.ChildProcess,
  directory: string,
  options: ProcessOptions,
): Promise<RegExpMatchArray> {
  let status: Deno.CommandStatus | null = null;
  child.status.then((ended) => status = ended);
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    for (const line of readLog(directory, "stdout").split("\n")) {
      const match = line.match(options.ready);
      if (match !== null) return match;
    }
    const isLate = performance.now() > deadline;
    if (status !== null || isLate) {
      const output = {
        stdout: readLog(directory, "stdout"),
        stderr: readLog(directory, "stderr"),
      };
      const why = status === null ? "is not ready in time" : "ended at once";
      throw new Error(
        `Cannot start server: ${options.command.join(" ")} ${why}: ` +
          describe(status, output),
      );
    }
    await pause(5);
  }
}

function describe(
  status: Deno.CommandStatus | null,
  output: { stdout: string; stderr: string },
): string {
  const how = status === null
    ? "running"
    : status.signal ?? `exit code ${status.code}`;
  return `${how}\n${output.stdout.slice(-2000)}\n${output.stderr.slice(-4000)}`;
}

function readLog(directory: string, name: "stdout" | "stderr"): string {
  try {
    return Deno.readTextFileSync(`${directory}/${name}.log`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
