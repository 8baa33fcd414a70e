/**
 * Runs commands of the table on the shards of a fixture, as an executor would,
 * without a server around them.
 *
 * @module
 */
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { hashSlot } from "../../../../src/core/base/crc16.ts";
import { halfSipHash } from "../../../../src/core/base/half_siphash.ts";
import type { Call } from "../../../../src/core/commands/call.ts";
import {
  findKeys,
  KeyPositions,
  RequestView,
} from "../../../../src/core/commands/command_keys.ts";
import type { Handler } from "../../../../src/core/commands/command_spec.ts";
import { makeCommandTable } from "../../../../src/front/server/command_groups.ts";
import {
  type Plain,
  plain,
  ReplyError,
  ReplyParser,
} from "../../../_resp_reply.ts";
import { Shards } from "../keyspace/_fixture.ts";
import { callOn } from "./_call.ts";

const table = makeCommandTable();

/** Whether the table has a command, or a subcommand by its full name. */
export function hasCommand(fullName: string): boolean {
  return table.byName(fullName) !== undefined;
}

/** Shards with a call that runs commands on them. */
export class Executor {
  readonly shards: Shards;
  readonly call: Call;
  readonly #positions = new KeyPositions();

  constructor(options: ConstructorParameters<typeof Shards>[0] = {}) {
    this.shards = new Shards(options);
    this.call = callOn(this.shards, 1_700_000_000_000);
  }

  /** Runs a command and returns its reply, if that is no error. */
  run(...argv: string[]): Plain {
    const { call, shards } = this;
    const { args, reply } = call;
    args.clear();
    args.buf = latin1BytesOf(argv.join(""));
    let at = 0;
    for (const word of argv) {
      args.add(at, word.length);
      at += word.length;
    }
    const [name, sub] = argv.map((word) => word.toLowerCase());
    const container = table.byName(name!);
    if (container === undefined) throw new Error(`Cannot run ${name}: unknown`);
    const command = table.byName(`${name}|${sub}`) ?? container;
    const view = new RequestView(args);
    findKeys(command.spec, view, this.#positions);
    call.keyCount = this.#positions.count;
    for (let i = 0; i < call.keyCount; i++) {
      const position = this.#positions.positions[i]!;
      const key = call.ensureKey(i);
      key.buf = args.source(position);
      key.off = args.off[position]!;
      key.length = args.length[position]!;
      key.hash = halfSipHash(key.buf, key.off, key.length, 1, 2);
      key.shard = hashSlot(key.buf, key.off, key.length) %
        shards.keyspaces.length;
    }
    const start = reply.at;
    (command.run as Handler<Call>)(call);
    const parser = new ReplyParser();
    parser.feed(reply.buf.subarray(start, reply.at));
    reply.reset();
    const answer = plain(parser.next()!.reply);
    if (answer instanceof ReplyError) throw answer;
    return answer;
  }
}
