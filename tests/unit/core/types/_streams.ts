/**
 * Streams without a keyspace: values that hang on bare entries, and texts as
 * fields.
 *
 * @module
 */
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { Prng } from "../../../../src/core/base/prng.ts";
import { NODE_VALUE } from "../../../../src/core/memory/node.ts";
import {
  ListpackItem,
  Listpacks,
  readElement,
} from "../../../../src/core/memory/listpack.ts";
import { elementBytes } from "../../../../src/core/memory/listpack_format.ts";
import { StreamId } from "../../../../src/core/types/stream_id.ts";
import type {
  EntryFields,
  NodeReader,
} from "../../../../src/core/types/stream_node.ts";
import { StreamValue } from "../../../../src/core/types/stream_value.ts";
import { Memory } from "../memory/_memory.ts";

/** An entry as a test writes it: ID, then fields and values in turn. */
export type Entry = readonly [id: string, ...texts: string[]];

/** Streams of one heap. */
export class Streams {
  readonly memory: Memory;
  readonly listpacks: Listpacks;
  readonly value: StreamValue;
  readonly limits = {
    hashMaxListpackEntries: 0,
    hashMaxListpackValue: 0,
    listMaxListpackSize: 0,
    setMaxIntsetEntries: 0,
    setMaxListpackEntries: 0,
    setMaxListpackValue: 0,
    zsetMaxListpackEntries: 0,
    zsetMaxListpackValue: 0,
    streamNodeMaxBytes: 4096,
    streamNodeMaxEntries: 100,
  };

  constructor(bytes: number) {
    this.memory = new Memory(bytes);
    const { arena, heap, dict } = this.memory;
    this.listpacks = new Listpacks(arena, heap);
    this.value = new StreamValue({
      arena,
      heap,
      dict,
      listpacks: this.listpacks,
      hashSeed0: 1,
      hashSeed1: 2,
      limits: this.limits,
      random: new Prng(1),
    });
  }

  /** An entry with an empty value. */
  entry(): number {
    const ref = this.memory.heap.allocate(2);
    for (let i = 0; i < 4; i++) this.memory.setWord(ref, i, 0);
    return ref;
  }

  /** Root of an entry's value. */
  root(ref: number): number {
    return this.memory.word(ref, NODE_VALUE);
  }

  add(ref: number, [id, ...texts]: Entry): void {
    const bytes = texts.reduce((sum, text) => sum + text.length, 0);
    const fields = fieldsOf(texts);
    this.value.log.add(ref, idOf(id), fields, 0, texts.length / 2, bytes);
  }

  /** All entries from one ID to another, forward. */
  range(ref: number, from = "0-0", to = MAX_ID): Entry[] {
    const cursor = this.value.log.cursor();
    const end = idOf(to);
    const found: Entry[] = [];
    cursor.seek(ref, idOf(from));
    while (cursor.next() && cursor.entry.id.compare(end) <= 0) {
      found.push(entryOf(cursor.entry));
    }
    return found;
  }

  /** The same, backward. */
  reverseRange(ref: number, from = "0-0", to = MAX_ID): Entry[] {
    const cursor = this.value.log.cursor();
    const end = idOf(from);
    const found: Entry[] = [];
    cursor.seekBehind(ref, idOf(to));
    while (cursor.previous() && cursor.entry.id.compare(end) >= 0) {
      found.push(entryOf(cursor.entry));
    }
    return found;
  }
}

/** The greatest ID. */
export const MAX_ID = "18446744073709551615-18446744073709551615";

/** The ID of a text. */
export function idOf(text: string): StreamId {
  const id = new StreamId();
  id.parse(latin1BytesOf(text), 0, text.length);
  return id;
}

/** Texts, one character a byte, as fields and values. */
export function fieldsOf(texts: readonly string[]): EntryFields {
  const all = latin1BytesOf(texts.join(""));
  const off = new Int32Array(texts.length);
  const length = Int32Array.from(texts, (text) => text.length);
  for (let i = 1; i < texts.length; i++) off[i] = off[i - 1]! + length[i - 1]!;
  return { source: () => all, off, length };
}

/** The entry that a reader stands at. */
export function entryOf(reader: NodeReader): Entry {
  const { buf } = reader;
  const texts: string[] = [];
  let fieldAt = reader.firstFieldsAt;
  let { at } = reader;
  const item = new ListpackItem();
  const read = (from: number): number => {
    readElement(buf, from, item);
    texts.push(asciiOf(item.buf, item.off, item.length));
    return from + elementBytes(buf, from);
  };
  for (let i = 0; i < reader.fieldCount; i++) {
    if (reader.hasOwnFields) at = read(at);
    else fieldAt = read(fieldAt);
    at = read(at);
  }
  return [String(reader.id), ...texts];
}
