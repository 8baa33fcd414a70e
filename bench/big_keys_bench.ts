/**
 * Big keys hurt nobody: how long others wait for GET of small keys while one
 * client deletes, scans, reads or grows a collection of millions of elements,
 * beside the same without it, for sherd and Debian's redis-server.
 *
 * ```sh
 * deno run -A bench/big_keys_bench.ts --elements 1000000 --types hash
 * ```
 *
 * - **read**: the whole collection in one reply, taken slowly. "Grown" is what
 *   the server's resident memory grew by while it was.
 * - **scan**: from one end to the other, a thousand elements at a time.
 * - **grow**: elements added in pipelines of sixteen.
 * - **delete**: DEL, until nothing of it waits to be freed any more. DEL of
 *   redis-server frees before it replies; `unlink` is there for comparison.
 *
 * The last column is the largest V8 heap of a worker at the end of the
 * operation.
 *
 * Traps: the traps of load.ts are those of this bench too. Askers, the one who
 * operates, and the server share the cores: the waits of the idle row are the
 * machine's own, and only waits far above them mean something. The server's
 * memory does not shrink, so that "grown" is above zero only where more was
 * needed than ever before; reading comes first for that reason.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { TestClient } from "../tests/_resp_client.ts";
import { plain } from "../tests/_resp_reply.ts";
import { sendCommands } from "./_commands.ts";
import { type Latency, latencyDuring } from "./_latency.ts";
import { withServers } from "./_measure.ts";
import { parseCount } from "./_options.ts";
import {
  type Server,
  type ServerSpec,
  settle,
  sleep,
  startServer,
} from "./_proc.ts";
import { markdown, print, progress } from "./_report.ts";
import { Sherd } from "./_sherd.ts";
import { digits, fillOne } from "./_type_cases.ts";

/** A type of collection: how it is made and gone through. */
interface Case {
  type: string;
  fill: (count: number) => Iterable<readonly string[]>;
  /** Adds one more element. */
  add: (i: number) => string[];
  readAll: string[];
  /** One step of a scan from a place, `0` at first. */
  step: (place: string) => string[];
  /** The place of the next step; null at the end. */
  next: (reply: unknown, place: string) => string | null;
}

const STEP = 1000;

function byCursor(reply: unknown): string | null {
  const [cursor] = reply as [string];
  return cursor === "0" ? null : cursor;
}

const CASES: readonly Case[] = [
  {
    type: "hash",
    fill: (count) =>
      fillOne(["HSET", "big"], count, (i) => [`f:${digits(i)}`, `v:${i}`]),
    add: (i) => ["HSET", "big", `f:${digits(i)}`, `v:${i}`],
    readAll: ["HGETALL", "big"],
    step: (place) => ["HSCAN", "big", place, "COUNT", `${STEP}`],
    next: byCursor,
  },
  {
    type: "set",
    fill: (count) => fillOne(["SADD", "big"], count, (i) => [`m:${digits(i)}`]),
    add: (i) => ["SADD", "big", `m:${digits(i)}`],
    readAll: ["SMEMBERS", "big"],
    step: (place) => ["SSCAN", "big", place, "COUNT", `${STEP}`],
    next: byCursor,
  },
  {
    type: "zset",
    fill: (count) =>
      fillOne(["ZADD", "big"], count, (i) => [`${i}`, `m:${digits(i)}`]),
    add: (i) => ["ZADD", "big", `${i}`, `m:${digits(i)}`],
    readAll: ["ZRANGE", "big", "0", "-1", "WITHSCORES"],
    step: (place) => ["ZSCAN", "big", place, "COUNT", `${STEP}`],
    next: byCursor,
  },
  {
    type: "list",
    fill: (count) =>
      fillOne(["RPUSH", "big"], count, (i) => [`v:${digits(i)}`]),
    add: (i) => ["RPUSH", "big", `v:${digits(i)}`],
    readAll: ["LRANGE", "big", "0", "-1"],
    step: (place) => ["LRANGE", "big", place, `${Number(place) + STEP - 1}`],
    next: (reply, place) =>
      (reply as unknown[]).length < STEP ? null : `${Number(place) + STEP}`,
  },
  {
    type: "stream",
    fill: function* (count) {
      for (let i = 1; i <= count; i++) {
        yield ["XADD", "big", `${i}-1`, "field", "value"];
      }
    },
    add: (i) => ["XADD", "big", `${i + 1}-1`, "field", "value"],
    readAll: ["XRANGE", "big", "-", "+"],
    step: (place) => ["XRANGE", "big", `(${place}`, "+", "COUNT", `${STEP}`],
    next: (reply) => {
      const entries = reply as [string][];
      return entries.length < STEP ? null : entries.at(-1)![0];
    },
  },
];

const SMALL_KEYS = 10_000;
const CONNECTIONS = 4;
const IDLE_MS = 2_000;
const AFTER_MS = 500;
const PIPELINE = 16;
/** Pace of the slow reader. */
const PIECE_BYTES = 64 * 1024;
const PIECES_PER_REST = 16;
const REST_MS = 20;
const MARK = "the end of the reply";

const USAGE = `Usage: deno run -A bench/big_keys_bench.ts [OPTIONS]

  --elements N    elements of the collection (5000000)
  --types LIST    of hash, set, zset, list, stream (all that the server has)
  --operations L  of read, scan, grow, delete, unlink (the first four)
  --workers N     workers (2)
  --only NAME     sherd or redis-server alone
  --sherd CHOICE  what is measured; see load.ts
`;

/** What is done to the big collection. */
type Operation = (
  server: Server,
  client: TestClient,
  subject: Case,
  elements: number,
) => Promise<void>;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  read: readSlowly,
  scan: scanAll,
  grow,
  delete: (_server, client) => remove(client, "DEL"),
  unlink: (_server, client) => remove(client, "UNLINK"),
};

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      elements: { type: "string", default: "5000000" },
      types: { type: "string" },
      operations: { type: "string", default: "read,scan,grow,delete" },
      workers: { type: "string", default: "2" },
      only: { type: "string" },
      sherd: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return print(USAGE);
  using sherd = new Sherd(values.sherd);
  const operations = values.operations.split(",");
  for (const name of operations) {
    if (!Object.hasOwn(OPERATIONS, name)) {
      throw new TypeError(`--operations: "${name}" is none`);
    }
  }
  const types = values.types?.split(",");
  const cases = CASES.filter(({ type }) => types?.includes(type) ?? true);
  const elements = parseCount("elements", values.elements);
  const workers = parseCount("workers", values.workers);
  const { only } = values;
  const rows: string[][] = [];
  await withServers(
    { sherd, workers, only },
    async (specs) => {
      for (const subject of cases) {
        for (const spec of specs) {
          const measured = await measure(spec, subject, operations, elements);
          if (measured.length === 0) break; // sherd comes first
          rows.push(...measured);
        }
      }
    },
  );
  print(markdown(
    [
      ...["type", "operation", "server", "GETs", "p50 ms", "p99 ms", "max ms"],
      ...["seconds", "grown MB", "V8 heap MB"],
    ],
    rows,
  ));
}

/** All operations on one type, each with a line; none if it is unknown. */
async function measure(
  spec: ServerSpec,
  subject: Case,
  operations: readonly string[],
  elements: number,
): Promise<string[][]> {
  await using server = await startServer(spec);
  using client = await TestClient.connect(server.port, { timeoutMs: 600_000 });
  const [known] = plain(
    await client.run("COMMAND", "INFO", subject.add(0)[0]!),
  ) as unknown[];
  if (known === null || known === undefined) return [];
  const keys = Array.from({ length: SMALL_KEYS }, (_, i) => `small:${i}`);
  await sendCommands(server.port, keys.map((key) => ["SET", key, "x"]));
  await fillBig(server, subject, elements);
  const rows: string[][] = [];
  for (const name of ["(idle)", ...operations]) {
    await settle([server]);
    if (!await exists(client)) await fillBig(server, subject, elements);
    const residentBytes = server.residentBytes();
    let grownBytes = 0;
    const watch = setInterval(() => {
      grownBytes = Math.max(
        grownBytes,
        server.residentBytes() - residentBytes,
      );
    }, 20);
    let seconds = 0;
    const latency = await latencyDuring(
      server.port,
      keys,
      CONNECTIONS,
      async () => {
        const startMs = performance.now();
        if (name === "(idle)") await sleep(IDLE_MS);
        else await OPERATIONS[name]!(server, client, subject, elements);
        seconds = (performance.now() - startMs) / 1000;
        await sleep(AFTER_MS);
      },
    );
    clearInterval(watch);
    const heapBytes = await infoField(client, "sherd_heap_used_max");
    rows.push(
      row(subject, name, spec.name, latency, seconds, grownBytes, heapBytes),
    );
    progress(rows.at(-1)!.join("  "));
  }
  return rows;
}

function row(
  { type }: Case,
  operation: string,
  server: string,
  latency: Latency,
  seconds: number,
  grownBytes: number,
  heapBytes: number | null,
): string[] {
  return [
    ...[type, operation, server, `${latency.count}`],
    ...[latency.p50Ms, latency.p99Ms, latency.maxMs].map((ms) => ms.toFixed(2)),
    ...[seconds.toFixed(1), (grownBytes / 1e6).toFixed(1)],
    heapBytes === null ? "" : (heapBytes / 1e6).toFixed(1),
  ];
}

async function fillBig(
  server: Server,
  subject: Case,
  elements: number,
): Promise<void> {
  await sendCommands(server.port, subject.fill(elements));
  await settle([server]);
}

async function exists(client: TestClient): Promise<boolean> {
  return plain(await client.run("EXISTS", "big")) === 1;
}

async function infoField(
  client: TestClient,
  name: string,
): Promise<number | null> {
  const text = String(plain(await client.run("INFO", "memory")));
  const found = new RegExp(`^${name}:(\\d+)`, "m").exec(text);
  return found === null ? null : Number(found[1]);
}

/** Takes the whole collection in pieces, resting in between. */
async function readSlowly(
  _server: Server,
  client: TestClient,
  subject: Case,
): Promise<void> {
  await client.sendCommands([subject.readAll, ["ECHO", MARK]]);
  const decoder = new TextDecoder("latin1");
  let tail = "";
  for (let piece = 1;; piece++) {
    const bytes = await client.readBytes(PIECE_BYTES);
    if (bytes === null) throw new Error("the server closed the connection");
    tail = (tail + decoder.decode(bytes.subarray(-64))).slice(-64);
    if (tail.endsWith(`${MARK}\r\n`)) return;
    if (piece % PIECES_PER_REST === 0) await sleep(REST_MS);
  }
}

async function scanAll(
  _server: Server,
  client: TestClient,
  subject: Case,
): Promise<void> {
  for (let place: string | null = "0"; place !== null;) {
    const reply = plain(await client.run(...subject.step(place)));
    if (reply instanceof Error) throw reply;
    place = subject.next(reply, place);
  }
}

async function grow(
  _server: Server,
  client: TestClient,
  subject: Case,
  elements: number,
): Promise<void> {
  const end = elements + Math.ceil(elements / 10);
  for (let i = elements; i < end; i += PIPELINE) {
    await client.pipeline(
      Array.from({ length: PIPELINE }, (_, j) => subject.add(i + j)),
    );
  }
}

async function remove(client: TestClient, command: string): Promise<void> {
  await client.run(command, "big");
  while (await infoField(client, "lazyfree_pending_objects") !== 0) {
    await sleep(20);
  }
}

if (import.meta.main) await main(Deno.args);
