/**
 * The commands of core over shards without workers: what a client would be
 * answered, with every byte of the heaps in view.
 *
 * @module
 */
import { assert } from "@std/assert";
import {
  Call,
  type Session,
  type ShardLatches,
} from "../../../../src/core/commands/call.ts";
import {
  findKeys,
  KeyPositions,
  RequestView,
} from "../../../../src/core/commands/command_keys.ts";
import type { CommandTable } from "../../../../src/core/commands/command_table.ts";
import { makeCommandTable } from "../../../../src/front/server/command_groups.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { OUT_OF_MEMORY } from "../../../../src/core/resp/error_reply.ts";
import type { ReplySource } from "../../../../src/core/resp/reply_source.ts";
import { ReplyWriter } from "../../../../src/core/resp/reply_writer.ts";
import { type Plain, plain, ReplyParser } from "../../../_resp_reply.ts";
import type { Shards } from "../keyspace/_fixture.ts";
import { request } from "./_request.ts";

/** Nobody else is there. */
const NO_LATCHES: ShardLatches = {
  acquire() {},
  release() {},
  acquireAll() {},
  releaseAll() {},
};

/** A reply that a peer takes slowly. */
export class SlowReply {
  readonly #writer: ReplyWriter;
  readonly #source: ReplySource;
  readonly #parser = new ReplyParser();

  constructor(writer: ReplyWriter, source: ReplySource) {
    this.#writer = writer;
    this.#source = source;
  }

  /** Takes the rest of it. */
  take(): Plain {
    for (let isDone = false; !isDone;) {
      this.#parser.feed(this.#writer.buf.slice(0, this.#writer.at));
      this.#writer.at = 0;
      isDone = this.#source.write(this.#writer, 1000);
    }
    this.#parser.feed(this.#writer.buf.slice(0, this.#writer.at));
    return plain(this.#parser.next()!.reply);
  }

  /** Wants no more of it. */
  drop(): void {
    this.#source.drop();
  }
}

/** Runs commands as an executor would, in one database after the other. */
export class Commands {
  readonly shards: Shards;
  readonly session: Session = { db: 0 };
  readonly #call: Call;
  /** The server's commands; those of core take any call. */
  readonly #table = makeCommandTable() as unknown as CommandTable<Call>;

  constructor(shards: Shards) {
    this.shards = shards;
    const { keyspaces, settings, counters, clock, random } = shards;
    this.#call = new Call({
      keyspaces,
      slotShards: Uint16Array.from(
        { length: 16384 },
        (_, slot) => slot % keyspaces.length,
      ),
      hashSeed: [1, 2],
      settings,
      counters,
      clock,
      random,
      latches: NO_LATCHES,
    });
    this.#call.nowMs = 1_000_000;
  }

  /** The time at which commands run. */
  get nowMs(): number {
    return this.#call.nowMs;
  }

  /** Moves the clock. */
  set nowMs(nowMs: number) {
    this.#call.nowMs = nowMs;
    this.shards.clock.tell(nowMs);
  }

  /** Whether there is such a command. */
  has(name: string): boolean {
    return this.#table.byName(name) !== undefined;
  }

  /** Runs a command and returns its reply; words may be given in one. */
  run(...argv: readonly string[]): Plain {
    const writer = new ReplyWriter();
    this.#run(argv.length === 1 ? argv[0]!.split(" ") : argv, writer);
    const parser = new ReplyParser();
    const { externals } = this.shards.keyspaces[0]!;
    let at = 0;
    for (const span of writer.spans ?? []) {
      parser.feed(writer.buf.slice(at, span.at));
      const off = externals.offset(span.ref) + span.from;
      parser.feed(externals.bytes(span.ref).slice(off, off + span.length));
      externals.unpin(span.ref);
      at = span.at;
    }
    parser.feed(writer.buf.slice(at, writer.at));
    return plain(parser.next()!.reply);
  }

  /** Runs a command whose reply is long, and has only its head written. */
  begin(...argv: readonly string[]): SlowReply {
    const writer = new ReplyWriter();
    writer.canStream = true;
    this.#run(argv, writer);
    const [span] = writer.spans ?? [];
    assert(span !== undefined && span.source !== null, `${argv} is streamed`);
    return new SlowReply(writer, span.source);
  }

  #run(argv: readonly string[], writer: ReplyWriter): void {
    const call = this.#call;
    const args = request(...argv);
    let command = this.#table.byName(argv[0]!);
    assert(command !== undefined, `${argv[0]} is a command`);
    if (command.subcommands.length > 0) {
      command = this.#table.byName(`${argv[0]}|${argv[1]}`)!;
    }
    const keys = new KeyPositions();
    const view = new RequestView(args);
    findKeys(command.spec, view, keys);
    command.findOtherKeys?.(view, keys);
    call.args = args;
    call.session = this.session;
    call.reply = writer;
    call.keyCount = keys.count;
    for (let i = 0; i < keys.count; i++) {
      const at = keys.positions[i]!;
      const key = call.ensureKey(i);
      call.fillKey(key, args.source(at), args.off[at]!, args.length[at]!);
    }
    const start = writer.at;
    try {
      command.run(call);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      writer.rewind(start);
      call.dropUnfilled();
      writer.error(OUT_OF_MEMORY);
    }
  }
}
