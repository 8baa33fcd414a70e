/**
 * One load: a run of redis-benchmark and what it says.
 *
 * Commands are spelled out (redis-benchmark's free form) instead of named with
 * `-t`, so that GET and SET use the same keys, and MGET exists. Every
 * `__rand_int__` is replaced anew in each command by 12 digits below `-r`.
 *
 * @module
 */

/** A command that can be measured. */
export type CommandName = "get" | "set" | "incr" | "mget" | "mset";

/** Which keys a load touches: all alike, or a single one. */
export type KeyChoice = "uniform" | "hot";

/** What a load sends. */
export interface Load {
  command: CommandName;
  keys: KeyChoice;
  pipeline: number;
  /** Keys `key:000000000000` and on exist up to this number. */
  keyCount: number;
}

/** What a run of redis-benchmark printed. */
export interface LoadResult {
  /** Operations that were answered. */
  requests: number;
  /** Operations per second by the generator's clock. */
  throughput: number;
  /** Latency of a pipeline's replies, in milliseconds. */
  latencyMsP50: number;
  latencyMsP99: number;
  latencyMsP999: number;
}

/** Prefix of the keys that hold 32 bytes. */
export const KEY_PREFIX = "key:";

/** Prefix of the keys that hold a number. */
export const COUNTER_PREFIX = "counter:";

const CONNECTIONS = 50;
const MULTI_KEY_COUNT = 10;
const VALUE = "v".repeat(32);

const ARGUMENTS: Record<CommandName, (digits: string) => string[]> = {
  get: (digits) => ["GET", KEY_PREFIX + digits],
  set: (digits) => ["SET", KEY_PREFIX + digits, VALUE],
  incr: (digits) => ["INCR", COUNTER_PREFIX + digits],
  mget: (digits) => [
    "MGET",
    ...Array(MULTI_KEY_COUNT).fill(KEY_PREFIX + digits),
  ],
  mset: (digits) => [
    "MSET",
    ...Array(MULTI_KEY_COUNT).fill([KEY_PREFIX + digits, VALUE]).flat(),
  ],
};

const GOOD_REPLY: Record<CommandName, RegExp> = {
  get: /^\$32\r\n/,
  set: /^\+OK\r\n/,
  incr: /^:\d+\r\n/,
  mget: /^\*10\r\n(\$32\r\n.{32}\r\n){10}/,
  mset: /^\+OK\r\n/,
};

/** Every command's name. */
export const COMMAND_NAMES: CommandName[] = Object.keys(
  ARGUMENTS,
) as CommandName[];

/** Loads the server on `port` with `requests` operations. */
export function runLoad(
  port: number,
  load: Load,
  requests: number,
): Promise<LoadResult> {
  const isRandom = load.keys === "uniform";
  const argv = ARGUMENTS[load.command](
    isRandom ? "__rand_int__" : "0".repeat(12),
  );
  return runCommand(
    port,
    argv,
    load.pipeline,
    isRandom ? load.keyCount : 0,
    requests,
  );
}

/**
 * Sends one command `requests` times; every `__rand_int__` in it becomes 12
 * digits below `range`, unless that is 0.
 */
export async function runCommand(
  port: number,
  argv: readonly string[],
  pipeline: number,
  range: number,
  requests: number,
): Promise<LoadResult> {
  const { code, stdout, stderr } = await new Deno.Command("redis-benchmark", {
    args: [
      ...["-h", "127.0.0.1", "-p", `${port}`, "-c", `${CONNECTIONS}`],
      ...["-P", `${pipeline}`, "-n", `${requests}`],
      ...(range > 0 ? ["-r", `${range}`] : []),
      ...argv,
    ],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) {
    throw new Error(`redis-benchmark failed: ${decoder.decode(stderr)}`);
  }
  return parseLoadResult(decoder.decode(stdout));
}

/**
 * Sends the load's command once, for a key that exists, and throws unless the
 * reply is the one a filled server gives.
 */
export async function checkReply(port: number, load: Load): Promise<void> {
  const argv = ARGUMENTS[load.command]("0".repeat(12));
  const frame = `*${argv.length}\r\n` +
    argv.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("");
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(frame));
  const buffer = new Uint8Array(4096);
  let reply = "";
  while (!GOOD_REPLY[load.command].test(reply)) {
    const length = reply.length < 512 && !reply.startsWith("-")
      ? await readWithin(conn, buffer)
      : null;
    if (length === null) {
      throw new Error(
        `unexpected reply to ${argv[0]}: ${JSON.stringify(reply)}`,
      );
    }
    reply += new TextDecoder().decode(buffer.subarray(0, length));
  }
}

/** Reads the text that redis-benchmark prints without `-q` and `--csv`. */
export function parseLoadResult(text: string): LoadResult {
  const requests = /(\d+) requests completed in/.exec(text);
  const throughput = /throughput summary: ([\d.]+) requests/.exec(text);
  const summary =
    /avg\s+min\s+p50\s+p95\s+p99\s+max\s+[\d.]+\s+[\d.]+\s+([\d.]+)\s+[\d.]+\s+([\d.]+)/
      .exec(text);
  // The distribution halves what is left at every step and has no line for
  // 99.9 itself: the first at or above it is 99.902 or 99.951.
  const tail = [...text.matchAll(/^([\d.]+)% <= ([\d.]+) milliseconds/gm)]
    .find((match) => Number(match[1]) >= 99.9);
  if (!requests || !throughput || !summary || !tail) {
    throw new Error(`cannot read redis-benchmark's output:\n${text}`);
  }
  return {
    requests: Number(requests[1]),
    throughput: Number(throughput[1]),
    latencyMsP50: Number(summary[1]),
    latencyMsP99: Number(summary[2]),
    latencyMsP999: Number(tail[2]),
  };
}

/** Reads, or gives null when nothing comes for a second. */
async function readWithin(
  conn: Deno.Conn,
  buffer: Uint8Array,
): Promise<number | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), 1_000);
  });
  // Closing the connection rejects a read that lost the race.
  const read = conn.read(buffer).catch(() => null);
  const length = await Promise.race([read, timeout]);
  clearTimeout(timer);
  return length;
}
