/**
 * Reads what an effect log has recorded.
 *
 * @module
 */
import { asciiOf } from "../../../../src/core/base/bytes.ts";
import {
  CommandReader,
  readWord,
  RECORD_HEADER_BYTES,
  recordBytes,
} from "../../../../src/core/keyspace/effect_record.ts";
import {
  type EffectBuffers,
  LOG_IS_ON,
} from "../../../../src/core/keyspace/effect_ring.ts";
import { FRAME_HEAD_BYTES } from "../../../../src/engine/persistence/log_frame.ts";
import { RingDrain } from "../../../../src/engine/persistence/ring_drain.ts";

/** A command as it was recorded. */
export interface RecordedCommand {
  readonly db: number;
  /** One character a byte. */
  readonly argv: readonly string[];
}

/** A record: what has to take effect as a whole. */
export interface RecordedEffect {
  readonly ticket: number;
  readonly commands: readonly RecordedCommand[];
}

/** The records in `bytes`, which are whole. */
export function effectsIn(bytes: Uint8Array): RecordedEffect[] {
  const effects: RecordedEffect[] = [];
  const reader = new CommandReader();
  for (let at = 0; at < bytes.length;) {
    const length = readWord(bytes, at);
    const commands: RecordedCommand[] = [];
    reader.reset(bytes, at + RECORD_HEADER_BYTES, length);
    while (reader.next()) {
      const { args, db } = reader;
      const argv = Array.from(
        { length: args.count },
        (_, i) => asciiOf(args.buf, args.off[i]!, args.length[i]!),
      );
      commands.push({ db, argv });
    }
    if (reader.isDamaged) throw new Error(`A record at ${at} is damaged`);
    effects.push({ ticket: readWord(bytes, at + 4), commands });
    at += recordBytes(length);
  }
  return effects;
}

/** The whole records that were taken out of a ring. */
export function recordsIn(drain: RingDrain): RecordedEffect[] {
  return drain.count === 0
    ? []
    : effectsIn(drain.frame(FRAME_HEAD_BYTES).slice());
}

/** Takes the records out of the ring of a worker. */
export class EffectDrain {
  readonly #words: Int32Array;
  readonly #drain: RingDrain;

  constructor(buffers: EffectBuffers, worker = 0) {
    this.#words = new Int32Array(buffers.words);
    this.#drain = new RingDrain(buffers.rings[worker]!);
  }

  /** Says whether changes are recorded from now on. */
  set isOn(value: boolean) {
    this.#words[LOG_IS_ON] = value ? 1 : 0;
  }

  /** Forgets the records since the last call. */
  discard(): void {
    this.take();
  }

  /** The records since the last call. */
  take(): RecordedEffect[] {
    const drain = this.#drain;
    drain.fill();
    drain.scan(false, 0);
    const effects = recordsIn(drain);
    drain.drop();
    return effects;
  }
}

/** Records as lines: `SET a 1`, `1> DEL b`, those of one record joined by `; `. */
export function linesOf(effects: readonly RecordedEffect[]): string[] {
  return effects.map(({ commands }) =>
    commands.map(({ db, argv }) =>
      `${db === 0 ? "" : `${db}> `}${argv.join(" ")}`
    )
      .join("; ")
  );
}
