/**
 * The bench of RESTORE, which also says what loading a snapshot costs: the same
 * dumped values for sherd and Debian's redis-server in turn, by CPU time per
 * element.
 *
 * ```sh
 * deno run -A bench/restore_bench.ts --rounds 3 --only hash,zset
 * ```
 *
 * All values are dumped by redis-server, so that both restore what it writes, and
 * each takes the place of an equal one (`REPLACE`), so the cost of freeing that
 * is part of the figures of both.
 *
 * Traps: those of load.ts. Small values go out sixteen at a time, over many keys;
 * of a large one there are few, as they are long requests.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { TestClient } from "../tests/_resp_client.ts";
import { sendCommands } from "./_commands.ts";
import { measureInTurn, type Pair, withServers } from "./_measure.ts";
import { parseCount } from "./_options.ts";
import { cpuBetween, type Server, settle } from "./_proc.ts";
import { markdown, median, print, range } from "./_report.ts";
import { Sherd } from "./_sherd.ts";
import { digits, fillOne, fillStream } from "./_type_cases.ts";

/** Bytes of dumped values that one run restores, about. */
const RUN_BYTES = 24e6;
const REQUESTS_MAX = 300_000;
const REQUESTS_MIN = 4;
const KEYS = 1000;
const PIPELINE = 16;

const USAGE = `Usage: deno run -A bench/restore_bench.ts [OPTIONS]

  --only LIST     types, such as hash,zset (all)
  --sizes LIST    elements of a value (10,100,1000,100000)
  --rounds N      runs per server and case (3)
  --workers N     workers (1)
  --sherd CHOICE  what is measured; see load.ts
`;

/** A value to restore. */
interface Case {
  type: string;
  size: number;
}

/** How to make a value of a type, but for streams. */
const TYPES: Readonly<
  Record<string, [string, (i: number) => readonly string[]]>
> = {
  list: ["RPUSH", (i) => [`v:${digits(i)}`]],
  set: ["SADD", (i) => [`m:${digits(i)}`]],
  intset: ["SADD", (i) => [`${i * 7}`]],
  hash: ["HSET", (i) => [`f:${digits(i)}`, `v:${digits(i)}`]],
  zset: ["ZADD", (i) => [`${i}`, `m:${digits(i)}`]],
  reals: ["ZADD", (i) => [`${i + 0.25}`, `m:${digits(i)}`]],
};

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string" },
      sizes: { type: "string", default: "10,100,1000,100000" },
      rounds: { type: "string", default: "3" },
      workers: { type: "string", default: "1" },
      sherd: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return print(USAGE);
  using sherd = new Sherd(values.sherd);
  const types = values.only?.split(",") ??
    [...Object.keys(TYPES), "stream"];
  const sizes = values.sizes.split(",").map((n) => parseCount("sizes", n));
  const rounds = parseCount("rounds", values.rounds);
  const workers = parseCount("workers", values.workers);
  const cases = types.flatMap((type) => sizes.map((size) => ({ type, size })));
  const rows = await withServers(
    { sherd, workers },
    (specs) =>
      measureInTurn(specs, cases, rounds, { prepare, once: microsOf, row }),
  );
  print(markdown(
    [
      ...["type", "elements", "sherd us", "redis us", "ns per element"],
      ...["ratio", "range"],
    ],
    rows,
  ));
}

/** A value that was dumped, and how many times a run restores it. */
interface Dumped {
  bytes: Uint8Array;
  requests: number;
}

async function prepare(
  measured: Case,
  sherd: Server,
  redis: Server,
): Promise<Dumped> {
  const bytes = await dump(redis, measured);
  const requests = Math.ceil(
    Math.min(REQUESTS_MAX, Math.max(REQUESTS_MIN, RUN_BYTES / bytes.length)),
  );
  await restore(sherd, bytes, Math.min(requests, 20_000));
  await restore(redis, bytes, Math.min(requests, KEYS));
  return { bytes, requests };
}

/** CPU time of a value that is restored, in microseconds. */
async function microsOf(
  _measured: Case,
  { bytes, requests }: Dumped,
  loaded: Server,
  idle: Server,
): Promise<number> {
  await settle([loaded, idle]);
  const before = loaded.cpuTimes();
  await restore(loaded, bytes, requests);
  return cpuBetween(before, loaded.cpuTimes()).cpuMs * 1e3 / requests;
}

function row({ type, size }: Case, runs: readonly Pair<number>[]): string[] {
  const sherd = median(runs.map((run) => run.sherd));
  const redis = median(runs.map((run) => run.redis));
  return [
    ...[type, `${size}`, sherd.toFixed(2), redis.toFixed(2)],
    (sherd * 1e3 / size).toFixed(0),
    (sherd / redis).toFixed(2),
    range(runs.map((run) => run.sherd / run.redis)),
  ];
}

/** Lets redis-server make a value, and takes it as DUMP gives it. */
async function dump(redis: Server, measured: Case): Promise<Uint8Array> {
  await sendCommands(redis.port, [["FLUSHALL"]]);
  await sendCommands(redis.port, fill(measured));
  using client = await TestClient.connect(redis.port);
  const reply = await client.run("DUMP", "value");
  if (reply.type !== "bulk") throw new Error("DUMP gave no bytes");
  return reply.value;
}

function fill({ type, size }: Case): Iterable<readonly string[]> {
  if (type === "stream") return fillStream("value", 0, size);
  const [name, element] = TYPES[type]!;
  return fillOne([name, "value"], size, element);
}

/** Restores a value so many times. */
async function restore(
  { port }: Server,
  dumped: Uint8Array,
  requests: number,
): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await Promise.all([
    sendAll(conn, dumped, requests),
    readReplies(conn, requests),
  ]);
}

async function sendAll(
  conn: Deno.Conn,
  dumped: Uint8Array,
  requests: number,
): Promise<void> {
  const encoder = new TextEncoder();
  const hole = digits(0);
  const head = encoder.encode(
    `*5\r\n$7\r\nRESTORE\r\n$14\r\nr:${hole}\r\n$1\r\n0\r\n` +
      `$${dumped.length}\r\n`,
  );
  const tail = encoder.encode("\r\n$7\r\nREPLACE\r\n");
  const length = head.length + dumped.length + tail.length;
  const batch = new Uint8Array(length * PIPELINE);
  for (let i = 0; i < PIPELINE; i++) {
    batch.set(head, i * length);
    batch.set(dumped, i * length + head.length);
    batch.set(tail, (i + 1) * length - tail.length);
  }
  const keyAt = head.indexOf(0x3a) + 1;
  const keys = dumped.length > 1e5 ? 4 : KEYS;
  for (let sent = 0; sent < requests;) {
    const count = Math.min(PIPELINE, requests - sent);
    for (let i = 0; i < count; i++) {
      const key = encoder.encode(digits((sent + i) % keys));
      batch.set(key, i * length + keyAt);
    }
    const end = count * length;
    for (let at = 0; at < end;) at += await conn.write(batch.subarray(at, end));
    sent += count;
  }
}

async function readReplies(conn: Deno.Conn, requests: number): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let left = requests * "+OK\r\n".length; left > 0;) {
    const length = await conn.read(buffer);
    if (length === null) throw new Error("the server closed the connection");
    if (buffer.subarray(0, length).includes(0x2d)) {
      throw new Error("the server replied with an error");
    }
    left -= length;
  }
}

if (import.meta.main) await main(Deno.args);
