/**
 * Sorted sets.
 *
 * ```text
 * encoding 0  listpack    zset_listpack.ts
 *          1  skiplist    zset_tree.ts; the name is Redis's
 * ```
 *
 * A packed set becomes large when it has more members, or a longer one, than the
 * limits allow. There is no way back, as in Redis, but for results that are
 * stored: {@linkcode ZsetValue.pack}.
 *
 * Members are in the order of their scores, then of their bytes, and a place in
 * this order is a rank, from 0 on. To change a member: {@linkcode
 * ZsetValue.find}, then {@linkcode ZsetValue.setFound} or {@linkcode
 * ZsetValue.insertMissing}, nothing having changed in between. All ranges are
 * ranges of ranks: {@linkcode ZsetValue.rangeOfScores} and {@linkcode
 * ZsetValue.rangeOfMembers} find them, {@linkcode ZsetValue.visit} goes through
 * them.
 *
 * @module
 */

import type { Prng } from "../base/prng.ts";
import { IntegerSet, SelectionSampler } from "../base/sampling.ts";
import type { Arena } from "../memory/arena.ts";
import type { Heap } from "../memory/heap.ts";
import { ListpackItem, type Listpacks } from "../memory/listpack.ts";
import { setValue, setValueRoot, valueEncoding, valueRoot } from "./entry.ts";
import type { NodeTable } from "./node_table.ts";
import { PACKED_BYTES_MAX } from "./packed_limits.ts";
import type { EncodingLimits, ValueMemory, ValueType } from "./value_type.ts";
import { ZsetListpack } from "./zset_listpack.ts";
import type {
  LexRange,
  ScoredVisitor,
  ScoreRange,
  ScoreSieve,
} from "./zset_range.ts";
import { ZsetTree } from "./zset_tree.ts";

/** Members and scores in a listpack. */
export const ZSET_LISTPACK = 0;
/** A table and a tree of members. */
export const ZSET_SKIPLIST = 1;

/** The sorted sets of one keyspace, by their entries. */
export class ZsetValue implements ValueType {
  readonly encodingNames: readonly string[] = ["listpack", "skiplist"];
  /** Score of the member that was found or chosen. */
  score = 0.5;
  /** The member that was chosen. */
  readonly member: ListpackItem = new ListpackItem();
  /** First rank of the range that was looked for. */
  from = 0;
  /** The rank behind its last one. */
  to = 0;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #listpacks: Listpacks;
  readonly #packed: ZsetListpack;
  readonly #tree: ZsetTree;
  readonly #limits: EncodingLimits;
  readonly #random: Prng;
  /** Where the found member is: position in the listpack, or node. */
  #found = 0;
  /** The member that is visited. */
  readonly #visited = new ListpackItem();
  /** The member that goes from one encoding to another. */
  readonly #copied = new ListpackItem();
  /** The set that members are copied to. */
  #target = 0;
  readonly #treeCopier: ScoredVisitor = {
    member: (buf, off, length, score) =>
      this.#tree.append(this.#target, buf, off, length, score),
  };
  readonly #packedCopier: ScoredVisitor = {
    member: (buf, off, length, score) => {
      this.#target = this.#packed.append(
        this.#target,
        buf,
        off,
        length,
        score,
      );
    },
  };

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.#arena = memory.arena;
    this.#heap = memory.heap;
    this.#listpacks = memory.listpacks;
    this.#packed = new ZsetListpack(memory);
    this.#tree = new ZsetTree(memory);
    this.#limits = memory.limits;
    this.#random = memory.random;
  }

  /** Members. */
  length(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    return this.#isLarge(ref)
      ? this.#tree.nodes.count(root)
      : this.#packed.count(root);
  }

  /** The table of a large set, 0 for none. */
  tableOf(ref: number): number {
    return this.#isLarge(ref) ? valueRoot(this.#arena, ref) : 0;
  }

  /** The tables of the heap. */
  get tables(): NodeTable {
    return this.#tree.nodes;
  }

  /** As {@linkcode OrderedTree.firstUnknown}, in a set that is large. */
  firstUnknown(
    ref: number,
    score: number,
    node: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    const root = valueRoot(this.#arena, ref);
    return this.#tree.firstUnknown(root, score, node, buf, off, length);
  }

  /** Finds a member; `score` is its score. */
  find(ref: number, buf: Uint8Array, off: number, length: number): boolean {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return false;
    if (this.#isLarge(ref)) {
      const node = this.#tree.find(root, buf, off, length);
      if (node === 0) return false;
      this.#found = node;
      this.score = this.#tree.score(node);
      return true;
    }
    const pos = this.#packed.find(root, buf, off, length);
    if (pos === 0) return false;
    this.#found = pos;
    this.score = this.#packed.score(root, pos);
    return true;
  }

  /** As {@linkcode ZsetValue.find}, of a member whose hash is known. */
  findHashed(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): boolean {
    if (!this.#isLarge(ref)) return this.find(ref, buf, off, length);
    const root = valueRoot(this.#arena, ref);
    const node = this.#tree.findHashed(root, buf, off, length, hash);
    if (node === 0) return false;
    this.#found = node;
    this.score = this.#tree.score(node);
    return true;
  }

  /** Whether a new member of so many bytes lies in a node of its own. */
  takesRun(ref: number, length: number): boolean {
    return this.#isLarge(ref) || !this.#canPack(ref, length);
  }

  /**
   * Adds a member that was just not found and lies in a run of pages
   * (staged_nodes.ts), if {@linkcode ZsetValue.takesRun} said so. The run is the
   * set's from now on, or has been freed if this throws.
   */
  insertRun(
    ref: number,
    run: number,
    length: number,
    hash: number,
    score: number,
  ): void {
    try {
      if (!this.#isLarge(ref)) this.makeLarge(ref);
    } catch (cause) {
      this.#heap.adoptRun(run);
      this.#heap.free(run);
      throw cause;
    }
    const root = valueRoot(this.#arena, ref);
    this.#tree.insertRun(root, run, length, hash, score);
  }

  /** Rank of the member that was found. */
  rankOfFound(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    return this.#isLarge(ref)
      ? this.#tree.rank(root, this.#found)
      : this.#packed.rank(root, this.#found);
  }

  /** Gives the member that was found, which is passed too, another score. */
  setFound(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): void {
    if (score === this.score) return;
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      return this.#tree.setScore(root, this.#found, score);
    }
    const pos = this.#found;
    const made = this.#packed.setScore(root, pos, buf, off, length, score);
    setValueRoot(this.#arena, ref, made);
  }

  /** Adds a member that was just not found. */
  insertMissing(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): void {
    if (!this.#isLarge(ref) && !this.#canPack(ref, length)) {
      this.makeLarge(ref);
      this.#tree.find(valueRoot(this.#arena, ref), buf, off, length);
    }
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      return this.#tree.insertMissing(root, buf, off, length, score);
    }
    const made = this.#packed.insert(root, buf, off, length, score);
    setValueRoot(this.#arena, ref, made);
  }

  /** Gives a member a score and says whether the member is new. */
  add(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): boolean {
    if (this.find(ref, buf, off, length)) {
      this.setFound(ref, buf, off, length, score);
      return false;
    }
    this.insertMissing(ref, buf, off, length, score);
    return true;
  }

  /** Adds a member that is not there and comes behind all others. */
  append(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): void {
    if (!this.#isLarge(ref) && !this.#canPack(ref, length)) {
      this.makeLarge(ref);
    }
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      return this.#tree.append(root, buf, off, length, score);
    }
    const made = this.#packed.append(root, buf, off, length, score);
    setValueRoot(this.#arena, ref, made);
  }

  /** Removes a member; false if it is not there. */
  remove(ref: number, buf: Uint8Array, off: number, length: number): boolean {
    if (!this.find(ref, buf, off, length)) return false;
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) this.#tree.remove(root, this.#found);
    else {
      const made = this.#packed.remove(root, this.#found);
      setValueRoot(this.#arena, ref, made);
    }
    return true;
  }

  /** Removes the members of ranks `from` to `to`, exclusive. */
  removeRange(ref: number, from: number, to: number): void {
    if (from >= to) return;
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) return this.#tree.removeRange(root, from, to);
    setValueRoot(this.#arena, ref, this.#packed.removeRange(root, from, to));
  }

  /**
   * Converts a packed set that is about to get so many members more than fit
   * into one; as Redis does before it adds them.
   */
  expect(ref: number, count: number): void {
    if (count > this.#limits.zsetMaxListpackEntries && !this.#isLarge(ref)) {
      this.makeLarge(ref);
    }
  }

  /** Finds the range of the members with certain scores: `from` and `to`. */
  rangeOfScores(ref: number, range: ScoreRange): void {
    this.from = this.#countBelow(ref, range.min, range.isMinOpen);
    this.to = Math.max(
      this.from,
      this.#countBelow(ref, range.max, !range.isMaxOpen),
    );
  }

  /**
   * Finds the range of the members between two others. Unless all scores are
   * equal, what is found depends on the end where Redis begins.
   */
  rangeOfMembers(ref: number, range: LexRange, isReverse: boolean): void {
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      this.#tree.findRange(root, range);
      this.from = this.#tree.from;
      this.to = this.#tree.to;
    } else {
      this.#packed.findRange(root, range, isReverse);
      this.from = this.#packed.from;
      this.to = this.#packed.to;
    }
  }

  /**
   * Visits `count` members from a rank on, up or, if `isReverse`, down; there
   * are so many. The set must not change meanwhile.
   */
  visit(
    ref: number,
    rank: number,
    count: number,
    isReverse: boolean,
    visitor: ScoredVisitor,
  ): void {
    this.#visit(ref, rank, count, isReverse, visitor, this.#visited);
  }

  /** Visits the members with scores from `min` to `max`, which is excluded. */
  visitScores(
    ref: number,
    min: number,
    max: number,
    visitor: ScoredVisitor,
  ): void {
    const from = this.#countBelow(ref, min, false);
    const to = this.#countBelow(ref, max, false);
    this.visit(ref, from, to - from, false, visitor);
  }

  /** As {@linkcode ZsetTree.sift}. */
  sift(ref: number, min: number, end: number, sieve: ScoreSieve): void {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return;
    if (this.#isLarge(ref)) this.#tree.sift(root, min, end, sieve);
    else this.#packed.sift(root, min, end, sieve, this.#visited);
  }

  /**
   * Visits members as {@linkcode Dict.scan} has it: those of one cursor position
   * of a table, or all of a packed set. Returns the next cursor.
   */
  scan(ref: number, cursor: number, visitor: ScoredVisitor): number {
    if (this.#isLarge(ref)) {
      return this.#tree.scan(valueRoot(this.#arena, ref), cursor, visitor);
    }
    this.visit(ref, 0, this.length(ref), false, visitor);
    return 0;
  }

  /** Reads the member of a rank into `member` and `score`. */
  select(ref: number, rank: number): void {
    const root = valueRoot(this.#arena, ref);
    const { member } = this;
    if (this.#isLarge(ref)) {
      const node = this.#tree.select(root, rank);
      const { nodes } = this.#tree;
      member.isInteger = false;
      member.buf = nodes.bytesOf(node);
      member.off = nodes.keyOff(node);
      member.length = nodes.keyLength(node);
      this.score = this.#tree.score(node);
    } else {
      const pos = this.#packed.select(root, rank);
      this.#packed.read(root, pos, member);
      this.score = this.#packed.score(root, pos);
    }
  }

  /** Draws a member at random into `member` and `score`. */
  draw(ref: number): void {
    this.select(ref, this.#random.below(this.length(ref)));
  }

  /** Visits `count` different members, all sets of them equally likely. */
  sample(ref: number, count: number, visitor: ScoredVisitor): void {
    const length = this.length(ref);
    if (count >= length) {
      return this.visit(ref, length - 1, length, true, visitor);
    }
    if (this.#isLarge(ref) && count * 4 < length) {
      const drawn = new IntegerSet(count);
      for (let left = count; left > 0;) {
        const rank = this.#random.below(length);
        if (!drawn.add(rank + 1)) continue;
        this.visit(ref, rank, 1, false, visitor);
        left--;
      }
      return;
    }
    const chosen = new ChosenMembers(this.#random, visitor);
    chosen.begin(count, length);
    this.visit(ref, 0, length, false, chosen);
  }

  memoryBytes(ref: number, samples: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    return this.#isLarge(ref)
      ? this.#tree.bytes(root, samples)
      : this.#heap.unitsOf(root) << 3;
  }

  /** Bytes of those members that are long. */
  longBytes(ref: number): number {
    return this.#isLarge(ref)
      ? this.#tree.nodes.longBytes(valueRoot(this.#arena, ref))
      : 0;
  }

  weight(ref: number): number {
    return this.#isLarge(ref)
      ? this.#tree.weight(valueRoot(this.#arena, ref))
      : 1;
  }

  free(ref: number): void {
    this.freeSlice(ref, Infinity);
  }

  freeSlice(ref: number, budget: number): boolean {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return true;
    if (!this.#isLarge(ref)) this.#listpacks.free(root);
    else if (!this.#tree.freeSlice(root, budget)) return false;
    setValue(this.#arena, ref, ZSET_LISTPACK, 0);
    return true;
  }

  copyFrom(source: ZsetValue, sourceRef: number, ref: number): void {
    const root = valueRoot(source.#arena, sourceRef);
    if (root === 0) return;
    const isLarge = source.#isLarge(sourceRef);
    setValue(
      this.#arena,
      ref,
      isLarge ? ZSET_SKIPLIST : ZSET_LISTPACK,
      isLarge
        ? this.#treeFrom(source, sourceRef)
        : source.#listpacks.copyTo(root, this.#listpacks),
    );
  }

  /**
   * Begins to fill an empty set in any order: until {@linkcode
   * ZsetValue.putInOrder} members have no ranks, which makes changes cheap. Only
   * finding works meanwhile.
   */
  beginUnordered(ref: number): void {
    setValue(this.#arena, ref, ZSET_SKIPLIST, this.#tree.create());
  }

  /** Adds a member that was just not found. */
  insertUnordered(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): void {
    const root = valueRoot(this.#arena, ref);
    this.#tree.insertUnordered(root, buf, off, length, score);
  }

  /**
   * Begins to fill an empty set of about `count` members, which may come in any
   * order: until {@linkcode ZsetValue.finishLoading} they are only loaded.
   */
  beginLoading(ref: number, count: number): void {
    const root = this.#tree.create();
    setValue(this.#arena, ref, ZSET_SKIPLIST, root);
    this.#tree.beginLoading(root, count);
  }

  /** Adds a member; false if it is there already. */
  load(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): boolean {
    const root = valueRoot(this.#arena, ref);
    return this.#tree.load(root, buf, off, length, score);
  }

  /** Ends: the members are in order, in the encoding that is due. */
  finishLoading(ref: number): void {
    this.#tree.finishLoading(valueRoot(this.#arena, ref));
    this.pack(ref);
  }

  /** Gives the member that was found another score. */
  setFoundUnordered(score: number): void {
    this.#tree.setUnorderedScore(this.#found, score);
  }

  /** Removes the member that was found. */
  removeFoundUnordered(ref: number): void {
    this.#tree.nodes.remove(valueRoot(this.#arena, ref), this.#found);
  }

  /** Puts the members in order, in the encoding that is due. */
  putInOrder(ref: number): void {
    this.#tree.order(valueRoot(this.#arena, ref));
    this.pack(ref);
  }

  /** Makes a large set a packed one if the limits allow it. */
  pack(ref: number): void {
    const { zsetMaxListpackEntries, zsetMaxListpackValue } = this.#limits;
    const length = this.length(ref);
    if (!this.#isLarge(ref) || length > zsetMaxListpackEntries) return;
    const measure = new LongestMember();
    this.visit(ref, 0, length, false, measure);
    if (
      measure.longest > zsetMaxListpackValue ||
      measure.total > PACKED_BYTES_MAX
    ) return;
    this.#target = 0;
    try {
      this.visit(ref, 0, length, false, this.#packedCopier);
    } catch (cause) {
      if (this.#target !== 0) this.#listpacks.free(this.#target);
      throw cause;
    }
    const packed = this.#target;
    this.free(ref);
    setValue(this.#arena, ref, ZSET_LISTPACK, packed);
  }

  /** Makes a packed set a large one. */
  makeLarge(ref: number): void {
    const made = this.#treeFrom(this, ref);
    const packed = valueRoot(this.#arena, ref);
    if (packed !== 0) this.#listpacks.free(packed);
    setValue(this.#arena, ref, ZSET_SKIPLIST, made);
  }

  /**
   * Makes the entry, whose set is empty, a packed one of a listpack that holds
   * pairs in order; for RESTORE, which has seen to the limits.
   */
  adoptListpack(ref: number, listpack: number): void {
    setValue(this.#arena, ref, ZSET_LISTPACK, listpack);
  }

  /** The listpack of a packed set, 0 if it is large or empty. */
  listpackOf(ref: number): number {
    return this.#isLarge(ref) ? 0 : valueRoot(this.#arena, ref);
  }

  /** Checks what a large set is made of; for tests. */
  verify(ref: number): void {
    if (this.#isLarge(ref)) this.#tree.verify(valueRoot(this.#arena, ref));
  }

  #isLarge(ref: number): boolean {
    return valueEncoding(this.#arena, ref) === ZSET_SKIPLIST;
  }

  /** Whether a packed set may get a member of some length. */
  #canPack(ref: number, length: number): boolean {
    if (length > this.#limits.zsetMaxListpackValue) return false;
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return this.#limits.zsetMaxListpackEntries > 0;
    return this.#packed.count(root) < this.#limits.zsetMaxListpackEntries &&
      this.#listpacks.bytes(root) + length <= PACKED_BYTES_MAX;
  }

  #countBelow(ref: number, score: number, orEqual: boolean): number {
    const root = valueRoot(this.#arena, ref);
    return this.#isLarge(ref)
      ? this.#tree.countBelowScore(root, score, orEqual)
      : this.#packed.countBelowScore(root, score, orEqual);
  }

  #visit(
    ref: number,
    rank: number,
    count: number,
    isReverse: boolean,
    visitor: ScoredVisitor,
    item: ListpackItem,
  ): void {
    if (count <= 0) return;
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      this.#tree.visit(root, rank, count, isReverse, visitor);
    } else this.#packed.visit(root, rank, count, isReverse, visitor, item);
  }

  /** A tree with the members of a set of any encoding. */
  #treeFrom(source: ZsetValue, sourceRef: number): number {
    const made = this.#tree.create();
    this.#target = made;
    try {
      source.#visit(
        sourceRef,
        0,
        source.length(sourceRef),
        false,
        this.#treeCopier,
        source.#copied,
      );
    } catch (cause) {
      this.#tree.freeSlice(made, Infinity);
      throw cause;
    }
    return made;
  }
}

/** Hands on as many members as are wanted, at random. */
class ChosenMembers extends SelectionSampler implements ScoredVisitor {
  readonly #visitor: ScoredVisitor;

  constructor(random: Prng, visitor: ScoredVisitor) {
    super(random);
    this.#visitor = visitor;
  }

  member(buf: Uint8Array, off: number, length: number, score: number): void {
    if (this.wanted === 0 || !this.takesNext()) return;
    this.#visitor.member(buf, off, length, score);
  }
}

/** Notes how long members are. */
class LongestMember implements ScoredVisitor {
  longest = 0;
  total = 0;

  member(_buf: Uint8Array, _off: number, length: number): void {
    if (length > this.longest) this.longest = length;
    this.total += length;
  }
}
