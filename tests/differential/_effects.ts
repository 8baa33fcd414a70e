/**
 * What redis-server writes into its append-only file, beside what the effect log
 * records for the same commands.
 *
 * @module
 */
import type { TestClient } from "../_resp_client.ts";
import { startRedisServer } from "../_redis_server.ts";
import { toBinary } from "../_resp_reply.ts";
import type { RecordedCommand } from "../unit/core/keyspace/_effects.ts";

/** What takes effect as a whole. */
export type Effect = readonly RecordedCommand[];

/** A redis-server with an append-only file. */
export class RecordingRedis implements AsyncDisposable {
  readonly #server: Awaited<ReturnType<typeof startRedisServer>>;
  readonly #path: string;
  #at = 0;
  #db = 0;

  private constructor(server: Awaited<ReturnType<typeof startRedisServer>>) {
    this.#server = server;
    this.#path = `${server.directory}/appendonlydir/appendonly.aof.1.incr.aof`;
  }

  static async start(): Promise<RecordingRedis> {
    const server = await startRedisServer([
      ...["--appendonly", "yes", "--appendfsync", "no"],
      ...["--aof-use-rdb-preamble", "no", "--auto-aof-rewrite-percentage", "0"],
    ]);
    return new RecordingRedis(server);
  }

  client(): Promise<TestClient> {
    return this.#server.client();
  }

  /** What was written since the last call; all replies have come. */
  take(): Effect[] {
    using file = Deno.openSync(this.#path);
    const { size } = file.statSync();
    const bytes = new Uint8Array(size - this.#at);
    file.seekSync(this.#at, Deno.SeekMode.Start);
    for (let read = 0; read < bytes.length;) {
      read += file.readSync(bytes.subarray(read)) ?? 0;
    }
    this.#at = size;
    return this.#group(toBinary(bytes));
  }

  #group(text: string): Effect[] {
    const effects: Effect[] = [];
    let open: RecordedCommand[] | null = null;
    for (const argv of commandsIn(text)) {
      const name = argv[0]!.toUpperCase();
      if (name === "SELECT") this.#db = Number(argv[1]);
      else if (name === "MULTI" && open === null) open = [];
      else if (name === "EXEC" && open !== null) {
        effects.push(open);
        open = null;
      } else if (open !== null) open.push({ db: this.#db, argv });
      else effects.push([{ db: this.#db, argv }]);
    }
    return effects;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

function commandsIn(text: string): string[][] {
  const commands: string[][] = [];
  let at = 0;
  const number = () => {
    const end = text.indexOf("\r\n", at);
    const n = Number(text.slice(at + 1, end));
    at = end + 2;
    return n;
  };
  while (at < text.length) {
    if (text[at] === "#") {
      at = text.indexOf("\n", at) + 1;
      continue;
    }
    const argv: string[] = [];
    for (let count = number(); count > 0; count--) {
      const length = number();
      argv.push(text.slice(at, at + length));
      at += length + 2;
    }
    commands.push(argv);
  }
  return commands;
}

/** Two clocks are never further apart. */
const CLOCKS_APART_MS = 20_000;
const MOMENT = /^(\d{13,19})(-\d+)?$/;

/**
 * The oldest entry that is left, as Redis 7.0 says it of a stream whose first
 * node has deleted ones: an older one.
 */
function isSameThreshold(name: string, argv: readonly string[], i: number) {
  return name[0] === "X" && argv[i - 1] === "=" &&
    argv[i - 2]!.toUpperCase() === "MINID";
}

/** Whether both are the same, or moments of the same time. */
function isSameArgument(a: string, b: string): boolean {
  if (a === b) return true;
  const [x, y] = [MOMENT.exec(a), MOMENT.exec(b)];
  return x !== null && y !== null &&
    (x[2] === undefined) === (y[2] === undefined) &&
    Math.abs(Number(x[1]) - Number(y[1])) < CLOCKS_APART_MS;
}

/** Commands whose arguments from the second on come in any order. */
const UNORDERED = ["SREM"];

/**
 * Where the records differ on purpose. Each takes what redis-server writes and
 * gives what is recorded here.
 */
const DIFFERENCES: readonly ((argv: readonly string[]) => readonly string[])[] =
  [
    // LIMIT says how much work trimming may be; the rewritten trim is exact,
    // and only a replica or a server that loads would accept LIMIT with it.
    (argv) => {
      const name = argv[0]!.toUpperCase();
      if (name !== "XADD" && name !== "XTRIM") return argv;
      const at = argv.slice(0, 9).indexOf("=");
      if (at < 0) return argv;
      let kept = argv;
      for (let i = 2; i < at + 4; i++) {
        if (kept[i]?.toUpperCase() === "LIMIT") kept = kept.toSpliced(i--, 2);
      }
      return kept;
    },
  ];

function isSameCommand(
  want: RecordedCommand,
  got: RecordedCommand,
  shapeOnly: boolean,
): boolean {
  let expected = want.argv;
  for (const change of DIFFERENCES) expected = change(expected);
  let actual = got.argv;
  const name = expected[0]!.toUpperCase();
  if (
    want.db !== got.db || expected.length !== actual.length ||
    name !== actual[0]!.toUpperCase()
  ) return false;
  if (shapeOnly) return expected[1] === actual[1];
  if (UNORDERED.includes(name)) {
    expected = [...expected.slice(0, 2), ...expected.slice(2).sort()];
    actual = [...actual.slice(0, 2), ...actual.slice(2).sort()];
  }
  return expected.slice(1).every((word, i) =>
    isSameArgument(word, actual[i + 1]!) ||
    // One that has waited is recorded with the words in lower case by Redis.
    name === "LMOVE" && word.toUpperCase() === actual[i + 1]!.toUpperCase() ||
    isSameThreshold(name, expected, i + 1)
  );
}

/**
 * What is told of groups beyond what Redis 7.0 tells: that a consumer was made
 * although it got nothing, and, as Redis 7.2 does, how many entries a group has
 * read. Redis 7.0 makes no consumer for XAUTOCLAIM that gets nothing, so that
 * later the one or the other server does not know it.
 */
function withoutGroups(want: Effect, got: Effect): [Effect, Effect] {
  const isConsumer = ({ argv }: RecordedCommand) =>
    argv[0]!.toUpperCase() === "XGROUP" && /consumer$/i.test(argv[1]!);
  const isRead = ({ argv }: RecordedCommand) =>
    argv[0] === "XGROUP" && argv[1] === "SETID" && argv[5] === "ENTRIESREAD";
  return want.some(isRead)
    ? [
      want.filter((command) => !isConsumer(command)),
      got.filter((command) => !isConsumer(command)),
    ]
    : [
      want.filter((command) => !isConsumer(command)),
      got.filter((command) => !isConsumer(command) && !isRead(command)),
    ];
}

/**
 * The record of XREADGROUP without what it has told of entries that it read
 * again: Redis forgets that they were delivered once more.
 */
export function withoutHistory(
  argv: readonly string[],
  effect: Effect,
): Effect {
  if (argv[0]!.toUpperCase() !== "XREADGROUP") return effect;
  const at = argv.findIndex((word) => word.toUpperCase() === "STREAMS") + 1;
  const count = (argv.length - at) / 2;
  const isHistory = ({ argv: [name, key] }: RecordedCommand) =>
    name === "XCLAIM" &&
    argv.slice(at, at + count).every((other, i) =>
      other !== key || argv[at + count + i] !== ">"
    );
  return effect.filter((command) => !isHistory(command));
}

/** Whether nothing is left of a record once such differences are left out. */
export function isAboutConsumer(effect: Effect): boolean {
  return withoutGroups([], effect)[1].length === 0;
}

/** One SREM for several that follow each other: how many is not the point. */
function merged(effect: Effect): Effect {
  const commands: RecordedCommand[] = [];
  for (const command of effect) {
    const { db, argv } = command;
    const last = commands.at(-1);
    if (
      last !== undefined && argv[0] === "SREM" && last.argv[0] === "SREM" &&
      last.db === db && last.argv[1] === argv[1]
    ) {
      commands[commands.length - 1] = {
        db,
        argv: [...last.argv, ...argv.slice(2)],
      };
    } else commands.push(command);
  }
  return commands;
}

/** Whether both records are the same but for what is left open. */
export function isSameEffect(
  want: Effect,
  got: Effect,
  shapeOnly = false,
): boolean {
  const [a, b] = withoutGroups(want, got);
  const [expected, actual] = [merged(a), merged(b)];
  return expected.length === actual.length &&
    expected.every((command, i) =>
      isSameCommand(command, actual[i]!, shapeOnly)
    );
}

/** A record as text. */
export function showEffect(effect: Effect): string {
  return effect.map(({ db, argv }) => {
    const words = argv.map((word) => {
      const text = JSON.stringify(word.slice(0, 60)).slice(1, -1);
      return text === "" || text.includes(" ") ? `"${text}"` : text;
    });
    return `${db}> ${words.join(" ")}`;
  }).join("; ");
}
