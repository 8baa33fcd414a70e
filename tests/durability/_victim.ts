/**
 * A server that may be killed at any instant, and started again on the same
 * directory.
 *
 * @module
 */
import { bundle } from "../../src/front/cli/compile.ts";
import { PATIENCE_MS, pause } from "../_patience.ts";
import { TestClient } from "../_resp_client.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/**
 * The program in a folder of its own, each thread as one file: it starts in a
 * fraction of the time.
 */
export function bundled(stack: DisposableStack): string {
  const folder = Deno.makeTempDirSync({ prefix: "sherd_bundle_" });
  stack.defer(() => Deno.removeSync(folder, { recursive: true }));
  return `${folder}/${bundle(folder)[0]}`;
}

/** How it is started. */
export interface VictimOptions {
  readonly directory: string;
  /** The program; that of the source tree by default. */
  readonly program?: string;
  readonly workers: number;
  readonly args?: readonly string[];
}

/** A process of the server. */
export class Victim {
  readonly #child: Deno.ChildProcess;
  readonly #log: string;
  /** How much of the log is of its lives before. */
  readonly #logStart: number;
  #port = 0;
  #status: Deno.CommandStatus | null = null;
  readonly #exited: Promise<Deno.CommandStatus>;

  /** Starts it, and waits for nothing. */
  constructor(options: VictimOptions) {
    const { directory, workers } = options;
    this.#log = `${directory}/server.log`;
    this.#logStart = this.log.length;
    // A limit of the size of files shall be an error, and not the end.
    this.#child = new Deno.Command("/bin/sh", {
      args: [
        ...["-c", 'trap "" XFSZ; err="$1"; shift; exec "$@" 2>>"$err"', "sh"],
        ...[`${directory}/stderr.log`, Deno.execPath()],
        ...["run", "--quiet", "-A", "--unstable-net"],
        options.program ?? "src/front/cli/main.ts",
        ...["--port", "0", "--workers", String(workers)],
        ...["--save", "", "--appendonly", "yes", "--dir", directory],
        ...["--enable-debug-command", "yes", "--logfile", this.#log],
        // It begins dozens of times in a test.
        ...["--warm-up", "no"],
        ...options.args ?? [],
      ],
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#exited = this.#child.status.then((status) => this.#status = status);
  }

  /** Starts it, and waits until it runs commands. */
  static async start(options: VictimOptions): Promise<Victim> {
    const victim = new Victim(options);
    await victim.ready();
    return victim;
  }

  /** Its TCP port, once it is ready; 0 if it has a unix socket instead. */
  get port(): number {
    return this.#port;
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** What it has written to its log, in all its lives. */
  get log(): string {
    return readText(this.#log);
  }

  /** Whether it has ended. */
  get hasEnded(): boolean {
    return this.#status !== null;
  }

  /** Resolves when it has ended. */
  get exited(): Promise<Deno.CommandStatus> {
    return this.#exited;
  }

  /** A new connection. */
  client(): Promise<TestClient> {
    return TestClient.connect(this.port);
  }

  /** Waits until it runs commands; throws if it ends instead. */
  async ready(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      if (this.#isReady()) return;
      if (this.#status !== null || performance.now() > deadline) {
        await this.kill();
        const said = readText(this.#log.replace("server.log", "stderr.log"));
        throw new Error(
          `The server does not start:\n${this.log.slice(-2000)}\n${said}`,
        );
      }
      await pause(5);
    }
  }

  /** Kills it where it stands. */
  async kill(): Promise<void> {
    if (this.#status === null) {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It was faster.
      }
    }
    await this.#exited;
  }

  /** Lets it end in order. */
  async stop(): Promise<Deno.CommandStatus> {
    if (this.#status === null) this.#child.kill("SIGTERM");
    return await this.#exited;
  }

  #isReady(): boolean {
    const found = this.log.slice(this.#logStart)
      .match(/ready to accept connections(?: tcp port=(\d+))?/i);
    if (found === null) return false;
    this.#port = Number(found[1] ?? 0);
    return true;
  }
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** Runs `body` with a directory that is removed afterwards. */
export async function withDirectory<T>(
  body: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = Deno.makeTempDirSync({ prefix: "sherd_test_" });
  try {
    return await body(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
