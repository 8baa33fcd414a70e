/**
 * Lets clients loose on a server and writes down what each sent, what came back
 * and when.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { Random, TestServer } from "../_harness.ts";
import {
  type Plain,
  plain,
  ReplyError,
  type TestClient,
} from "../_resp_client.ts";
import type { Operation } from "./_linearize.ts";
import type { ModelReply, Step } from "./_mini_redis.ts";

/** An operation on the server. */
export type Recorded = Operation<Step, ModelReply>;

/** What a client does next. */
export type Move =
  /** One command, or several behind one another without waiting. */
  | { kind: "commands"; commands: readonly (readonly string[])[] }
  | { kind: "transaction"; commands: readonly (readonly string[])[] }
  /** WATCH, look, decide, EXEC. */
  | {
    kind: "watched";
    keys: readonly string[];
    decide: (values: readonly ModelReply[]) => readonly string[][];
  };

/** Commands whose replies have no order that a client may rely on. */
const UNORDERED = new Set([
  ...["SMEMBERS", "SINTER", "SUNION", "SDIFF", "KEYS", "HGETALL"],
]);

/** Commands whose replies have scores, which the protocols write differently. */
const SCORED = new Set([
  ...["ZRANGE", "ZUNION", "ZINTER", "ZDIFF", "ZINCRBY", "ZMSCORE", "ZMPOP"],
]);

/** One shared history. */
export class Recorder {
  readonly operations: Recorded[] = [];
  #clock = 0;

  /** The next instant; no two are the same. */
  tick(): number {
    return this.#clock++;
  }
}

/** One client with the database that it has selected. */
export class RecordingClient {
  readonly #client: TestClient;
  readonly #recorder: Recorder;
  readonly #number: number;
  readonly #db: number;

  constructor(
    client: TestClient,
    recorder: Recorder,
    number: number,
    db: number,
  ) {
    this.#client = client;
    this.#recorder = recorder;
    this.#number = number;
    this.#db = db;
  }

  /** Makes a move and writes it down. */
  async make(move: Move): Promise<void> {
    if (move.kind === "commands") await this.#runAll(move.commands);
    else if (move.kind === "transaction") await this.#transact(move.commands);
    else await this.#watch(move.keys, move.decide);
  }

  async #runAll(commands: readonly (readonly string[])[]): Promise<void> {
    const starts = commands.map(() => this.#recorder.tick());
    const sending = this.#client.sendCommands(commands);
    for (const [i, argv] of commands.entries()) {
      const output = inModel(argv, plain(await this.#client.readReply()));
      this.#add(starts[i]!, [argv], false, output);
    }
    await sending;
  }

  async #transact(
    commands: readonly (readonly string[])[],
    watched?: ReadonlyMap<string, ModelReply>,
  ): Promise<void> {
    const start = this.#recorder.tick();
    const replies = await this.#client.pipeline([
      ["MULTI"],
      ...commands,
      ["EXEC"],
    ]);
    const all = plain(replies.at(-1)!);
    assert(all === null || Array.isArray(all), `EXEC replied ${String(all)}`);
    const output = all === null
      ? null
      : all.map((reply, i) => inModel(commands[i]!, reply));
    this.#add(start, commands, true, output, watched);
  }

  async #watch(
    keys: readonly string[],
    decide: (values: readonly ModelReply[]) => readonly string[][],
  ): Promise<void> {
    await this.#client.run("WATCH", ...keys);
    const argv = ["MGET", ...keys];
    const start = this.#recorder.tick();
    const values = inModel(argv, plain(await this.#client.run(...argv)));
    this.#add(start, [argv], false, values);
    assert(Array.isArray(values));
    const watched = new Map(keys.map((key, i) => [key, values[i]!]));
    await this.#transact(decide(values), watched);
  }

  #add(
    start: number,
    commands: readonly (readonly string[])[],
    isTransaction: boolean,
    output: ModelReply,
    watched?: ReadonlyMap<string, ModelReply>,
  ): void {
    const input = { db: this.#db, commands, isTransaction };
    this.#recorder.operations.push({
      client: this.#number,
      input: watched === undefined ? input : { ...input, watched },
      output,
      start,
      end: this.#recorder.tick(),
    });
  }
}

/** A reply as the model has it. */
function inModel(argv: readonly string[], reply: Plain): ModelReply {
  let output = converted(reply);
  if (SCORED.has(argv[0]!)) output = withoutNumbers(output);
  if (argv[0] === "HGETALL") output = asPairs(output as string[]);
  return UNORDERED.has(argv[0]!) && Array.isArray(output)
    ? output.sort()
    : output;
}

function converted(reply: Plain): ModelReply {
  if (reply instanceof ReplyError) return `-${reply.message}`;
  if (reply instanceof Set) return [...reply].map(converted);
  if (reply instanceof Map) return [...reply].flat().map(converted);
  if (Array.isArray(reply)) return reply.map(converted);
  assert(
    reply === null || typeof reply === "string" || typeof reply === "number",
    "a reply is one that the model knows",
  );
  return reply;
}

/** A reply in one list, its numbers as texts. */
function withoutNumbers(reply: ModelReply): ModelReply {
  if (Array.isArray(reply)) return reply.map(withoutNumbers).flat();
  return typeof reply === "number" ? String(reply) : reply;
}

function asPairs(items: readonly string[]): string[] {
  return items.filter((_, i) => i % 2 === 0)
    .map((field, i) => `${field} ${items[2 * i + 1]}`);
}

/** The connections of a run, of which as many as possible are on each worker. */
export async function connectAll(
  server: TestServer,
  count: number,
  stack: DisposableStack,
): Promise<TestClient[]> {
  const clients: TestClient[] = [];
  for (let i = 0; i < count; i++) {
    clients.push(
      stack.use(await server.client({ resp: i % 3 === 2 ? 3 : 2 })),
    );
  }
  return clients;
}

/** Lets each client make its moves, all at once; returns the history. */
export async function record(
  clients: readonly TestClient[],
  databases: readonly number[],
  random: Random,
  moves: number,
  next: (random: Random, client: number) => Move,
  fork: (seed: number) => Random,
): Promise<Recorder> {
  const recorder = new Recorder();
  await Promise.all(clients.map(async (client, number) => {
    const own = fork(random.uint32());
    const recording = new RecordingClient(
      client,
      recorder,
      number,
      databases[number]!,
    );
    for (let i = 0; i < moves; i++) await recording.make(next(own, number));
  }));
  return recorder;
}
