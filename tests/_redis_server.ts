/**
 * The reference: a redis-server from the machine's packages, where there is
 * one. Tests that need it say in one line what was left out where there is
 * none.
 *
 * @module
 */
import { type ConnectOptions, TestClient } from "./_resp_client.ts";
import { ServerProcess } from "./_server_process.ts";

/** A running redis-server that ends with the scope that holds it. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** Its working directory. */
  readonly directory: string;
  /** A new connection. */
  client(options?: ConnectOptions): Promise<TestClient>;
  stop(): Promise<void>;
}

/** The path of redis-server (SHERD_REDIS_SERVER, then PATH), or null. */
export function findRedisServer(): string | null {
  const chosen = Deno.env.get("SHERD_REDIS_SERVER");
  const places = chosen !== undefined
    ? [chosen]
    : (Deno.env.get("PATH") ?? "").split(":").map((p) => `${p}/redis-server`);
  for (const place of places) {
    try {
      if (Deno.statSync(place).isFile) return place;
    } catch { /* not in this place */ }
  }
  return null;
}

/**
 * True if redis-server is found; otherwise prints what is left out and how to
 * get it. Meant for the `ignore` of a test.
 */
export function hasRedisServer(leftOut: string): boolean {
  if (findRedisServer() !== null) return true;
  Deno.stderr.writeSync(new TextEncoder().encode(
    `LEFT OUT: ${leftOut}: no redis-server (apt-get install redis-server)\n`,
  ));
  return false;
}

/**
 * Starts redis-server without persistence on a free port. Its clock ticks as
 * often as it can, since what times out does so at a tick.
 */
export async function startRedisServer(
  args: readonly string[] = [],
): Promise<RedisServer> {
  const program = findRedisServer();
  if (program === null) throw new Error("Cannot start redis-server: not found");
  const process = await ServerProcess.start({
    command: [
      program,
      ...["--port", "{port}", "--bind", "127.0.0.1"],
      ...["--save", "", "--appendonly", "no", "--dir", "{dir}"],
      ...["--enable-debug-command", "yes", "--hz", "500"],
      ...args,
    ],
    ready: /Ready to accept connections/,
  });
  const { port } = process;
  return {
    port,
    directory: process.directory,
    client: (options) => TestClient.connect(port, options),
    stop: async () => void await process.stop(),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}
