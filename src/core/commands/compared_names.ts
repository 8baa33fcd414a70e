/**
 * Long names of keys, compared with those of the entries that may have them, and of
 * notes about such keys, before a command has its latches, as long members are
 * (compared_arguments.ts).
 *
 * An entry, or a run, is kept meanwhile, and nothing changes in the name. What is found to be
 * another name is compared anew when it is looked for: no two names are likely to
 * have one hash.
 *
 * @module
 */

import { equalLong } from "../base/bytes.ts";
import { Key } from "../keyspace/key.ts";
import { visitNotedNames } from "../keyspace/noted_names.ts";
import type { Heap } from "../memory/heap.ts";
import { KNOWN_KEYS, type KnownKey } from "../memory/known_keys.ts";
import type { Call } from "./call.ts";
import { knownKey } from "./compared_arguments.ts";

/** A name that was compared, and where it lies. */
interface ComparedName {
  readonly buf: Uint8Array;
  readonly off: number;
  readonly length: number;
  readonly known: KnownKey;
}

/**
 * Compares those of a command's names that are long, of which the arguments are
 * given; null if there are none. No latch is held.
 */
export function compareNames(
  call: Call,
  positions: Iterable<number>,
): ComparedNames | null {
  // Nobody waits while records are replayed.
  if (call.nowMs === 0) return null;
  let names: ComparedNames | null = null;
  for (const i of positions) {
    if (call.args.bigAt(i) === 0) continue;
    names ??= new ComparedNames();
    names.compare(call, i);
  }
  return names;
}

/** The long names of a command's keys. */
export class ComparedNames {
  readonly #names: ComparedName[] = [];
  readonly #kept: { readonly heap: Heap; readonly node: number }[] = [];

  /** Compares the name that is argument `i`. */
  compare(call: Call, i: number): void {
    const { args, db } = call;
    const key = new Key();
    call.fillKey(key, args.source(i), args.off[i]!, args.length[i]!);
    this.compareKey(call, db, key);
    // A name never changes, so it may be replied from where it lies.
    call.keyspace(key).heap.setSteady(args.bigAt(i));
  }

  /** Compares the name of a key. */
  compareKey(call: Call, db: number, key: Key): void {
    const { latches } = call;
    const { buf, off, length, hash, shard } = key;
    const space = call.keyspace(key);
    const { heap } = space;
    const found: number[] = [];
    latches.acquire(shard);
    space.visitLike(db, key, (ref) => {
      heap.keep(ref);
      found.push(space.keyOff(ref), ref);
    });
    visitNotedNames(space, db, key, (run, at) => {
      heap.keep(run);
      found.push(at, run);
    });
    latches.release(shard);
    const known = knownKey(hash);
    for (let at = 0; at < found.length; at += 2) {
      const ref = found[at + 1]!;
      this.#kept.push({ heap, node: ref });
      if (known.nodes.has(ref)) continue;
      if (!equalLong(space.bytes(ref), found[at]!, buf, off, length)) continue;
      known.nodes.set(ref, true);
    }
    this.#add({ buf, off, length, known });
  }

  /** A name that may have been compared lies in a key, too. */
  addCopy(from: Key, { buf, off, length }: Key): void {
    const name = this.#names.find((each) =>
      each.off === from.off && each.buf === from.buf
    );
    if (name !== undefined) this.#add({ buf, off, length, known: name.known });
  }

  /** What is known of a name is known of the same in another key, until the next. */
  lend(from: Key, { buf, off, length }: Key): void {
    KNOWN_KEYS.clear();
    this.resume();
    const known = KNOWN_KEYS.find(from.buf, from.off, from.length);
    if (known !== undefined) KNOWN_KEYS.add(buf, off, length, known);
  }

  /** What was found out is known again, in a slice of the command. */
  resume(): void {
    for (const { buf, off, length, known } of this.#names) {
      KNOWN_KEYS.add(buf, off, length, known);
    }
  }

  /** The command has run, or will not. */
  drop(): void {
    for (const { heap, node } of this.#kept) heap.letGo(node);
    this.#kept.length = 0;
  }

  #add(name: ComparedName): void {
    this.#names.push(name);
    KNOWN_KEYS.add(name.buf, name.off, name.length, name.known);
  }
}
