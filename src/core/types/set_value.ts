/**
 * Sets.
 *
 * ```text
 * encoding 0  intset       memory/intset.ts
 *          1  listpack     the members, in any order
 *          2  hashtable    a table of members (node_table.ts)
 * ```
 *
 * A set of integers is an intset as long as the limit allows, then a table. When
 * the first member that is no integer comes, it becomes a listpack, or a table
 * if it has too many members or too long ones for that; so does a listpack that
 * gets too large. There is no way back, as in Redis, but for what SPOP and
 * SINTERSTORE build anew. Which encoding an empty set begins with can be chosen;
 * its root is 0 all the same.
 *
 * Members are passed as bytes or, from one set to others, as a {@linkcode
 * SetMember}: then each is hashed at most once, as the seed is the same for all
 * keyspaces. A member that a method hands out is good until the set changes.
 *
 * To go through a set: {@linkcode SetValue.visit} from {@linkcode
 * SetValue.firstPlace} to {@linkcode SetValue.endPlace}, each call giving the
 * next place. To take members at random: {@linkcode SetValue.draw} for one,
 * {@linkcode SetValue.choose} for several different ones.
 *
 * Size: one type in three encodings.
 *
 * @module
 */

import { IntegerSet, SelectionSampler } from "../base/sampling.ts";
import type { Arena } from "../memory/arena.ts";
import type { NodeVisitor } from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import { Intsets } from "../memory/intset.ts";
import {
  LISTPACK_EMPTY_BYTES,
  LISTPACK_HEADER_BYTES,
  type Listpacks,
} from "../memory/listpack.ts";
import { setValue, setValueRoot, valueEncoding, valueRoot } from "./entry.ts";
import { NodeTable } from "./node_table.ts";
import { PACKED_BYTES_MAX } from "./packed_limits.ts";
import { SetMember } from "./set_member.ts";
import type { EncodingLimits, ValueMemory, ValueType } from "./value_type.ts";

/** A sorted array of integers. */
export const SET_INTSET = 0;
/** Members in a listpack. */
export const SET_LISTPACK = 1;
/** A table of members. */
export const SET_TABLE = 2;

/** Bytes that a listpack adds to a text that it may have, at most. */
const ELEMENT_OVERHEAD = 8;
/** Places kept ready for {@linkcode SetValue.choose}. */
const CHOSEN_KEPT = 1024;

/** Takes the members of a set, one after the other. */
export interface MemberVisitor {
  /** A member, which is good until this returns. */
  member(member: SetMember): void;
}

/** The sets of one keyspace, by their entries. */
export class SetValue implements ValueType {
  readonly encodingNames: readonly string[] = [
    "intset",
    "listpack",
    "hashtable",
  ];
  /** The intsets of the heap. */
  readonly intsets: Intsets;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #listpacks: Listpacks;
  readonly #nodes: NodeTable;
  readonly #limits: EncodingLimits;
  readonly #memory: ValueMemory;
  readonly #seed0: number;
  readonly #seed1: number;
  /** The member that was passed as bytes. */
  readonly #given = new SetMember();
  /** The member that is being visited. */
  readonly #visited = new SetMember();
  /** The member that was drawn or chosen. */
  readonly #drawn = new SetMember();
  /** The member that goes from one encoding to another. */
  readonly #moved = new SetMember();
  /** Where the member is that was found: index, position, or node. */
  #found = 0;
  /** Places of chosen members, ascending if the set is packed. */
  #chosen = new Int32Array(CHOSEN_KEPT);
  #chosenCount = 0;
  /** The table that members are copied to. */
  #target = 0;
  readonly #copier: MemberVisitor = {
    member: (member) => this.#insertNode(this.#target, member),
  };
  #scanVisitor: MemberVisitor | undefined;
  readonly #visitScanned: NodeVisitor = (node) => {
    this.#readNode(node, this.#visited);
    this.#scanVisitor!.member(this.#visited);
  };

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.#memory = memory;
    this.#arena = memory.arena;
    this.#heap = memory.heap;
    this.#listpacks = memory.listpacks;
    this.intsets = new Intsets(memory.arena, memory.heap);
    this.#nodes = new NodeTable(memory);
    this.#limits = memory.limits;
    this.#seed0 = memory.hashSeed0;
    this.#seed1 = memory.hashSeed1;
  }

  length(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    switch (valueEncoding(this.#arena, ref)) {
      case SET_TABLE:
        return this.#nodes.count(root);
      case SET_LISTPACK:
        return this.#listpacks.count(root);
      default:
        return this.intsets.count(root);
    }
  }

  /** Whether the set is a table, whose root stays where it is. */
  isTable(ref: number): boolean {
    return valueEncoding(this.#arena, ref) === SET_TABLE;
  }

  /** Whether a member is there. */
  has(ref: number, buf: Uint8Array, off: number, length: number): boolean {
    this.#given.setText(buf, off, length);
    return this.hasMember(ref, this.#given);
  }

  /** As {@linkcode SetValue.has}. */
  hasMember(ref: number, member: SetMember): boolean {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return false;
    switch (valueEncoding(this.#arena, ref)) {
      case SET_TABLE: {
        const hash = member.hash(this.#seed0, this.#seed1);
        const buf = member.text();
        const { off, length } = member;
        this.#found = this.#nodes.findHashed(root, buf, off, length, hash);
        return this.#found !== 0;
      }
      case SET_LISTPACK: {
        const buf = member.text();
        const { off, length } = member;
        const listpacks = this.#listpacks;
        const first = listpacks.first(root);
        this.#found = listpacks.find(root, first, buf, off, length, 0);
        return this.#found !== 0;
      }
      default:
        if (!member.isInteger()) return false;
        this.#found = this.intsets.search(root, member.hi, member.lo);
        return this.#found >= 0;
    }
  }

  /**
   * Says that about `count` members are to be added, the given one first, so
   * that a set that would outgrow its encoding leaves it at once.
   */
  expect(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    count: number,
  ): void {
    const encoding = valueEncoding(this.#arena, ref);
    const { setMaxIntsetEntries, setMaxListpackEntries } = this.#limits;
    if (valueRoot(this.#arena, ref) === 0) {
      this.#given.setText(buf, off, length);
      const begins = count <= setMaxIntsetEntries && this.#given.isInteger()
        ? SET_INTSET
        : count <= setMaxListpackEntries
        ? SET_LISTPACK
        : SET_TABLE;
      if (begins !== encoding) this.begin(ref, begins);
    } else if (
      encoding === SET_LISTPACK
        ? count > setMaxListpackEntries
        : encoding === SET_INTSET && count > setMaxIntsetEntries
    ) this.#makeTable(ref);
  }

  /** Makes an empty set a table with room for so many members. */
  makeTableFor(ref: number, members: number): void {
    const root = this.#nodes.create();
    setValue(this.#arena, ref, SET_TABLE, root);
    this.#nodes.expect(root, members);
  }

  /**
   * Adds a member, which is not looked for, to a set that is a listpack, or is to
   * be one; false if the limits do not allow it. The first one makes room for
   * `count` as long as it is; {@linkcode SetValue.fit} must follow.
   */
  append(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    count: number,
  ): boolean {
    if (valueEncoding(this.#arena, ref) !== SET_LISTPACK) return false;
    this.#given.setText(buf, off, length);
    return valueRoot(this.#arena, ref) === 0
      ? this.#beginListpack(ref, this.#given, count)
      : this.#appendToListpack(ref, this.#given);
  }

  /** Gives back what a listpack has far more than it needs. */
  fit(ref: number): void {
    const listpack = this.listpackOf(ref);
    if (listpack === 0) return;
    const units = this.#listpacks.bytes(listpack) + 7 >>> 3;
    if (units * 4 >= this.#heap.unitsOf(listpack) * 3) return;
    setValueRoot(this.#arena, ref, this.#listpacks.trim(listpack));
  }

  /** Gives an empty set an encoding to begin with. */
  begin(ref: number, encoding: number): void {
    setValue(this.#arena, ref, encoding, 0);
  }

  /** Adds a member and says whether it is new. */
  add(ref: number, buf: Uint8Array, off: number, length: number): boolean {
    this.#given.setText(buf, off, length);
    return this.addMember(ref, this.#given);
  }

  /** As {@linkcode SetValue.add}, of a member that is in another set. */
  addMember(ref: number, member: SetMember): boolean {
    switch (valueEncoding(this.#arena, ref)) {
      case SET_TABLE:
        return this.#addToTable(ref, member);
      case SET_LISTPACK:
        return this.#addToListpack(ref, member);
      default:
        return member.isInteger()
          ? this.#addToIntset(ref, member)
          : this.#addStringToIntset(ref, member);
    }
  }

  /**
   * Whether a member of so many bytes lies in a node of its own, so that an
   * external string can become one where it lies.
   */
  takesRun(ref: number, length: number): boolean {
    return length > this.#limits.setMaxListpackValue || this.isTable(ref);
  }

  /** As {@linkcode SetValue.has}, of a text whose hash is known. */
  hasHashed(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): boolean {
    this.#given.setHashed(buf, off, length, hash);
    return this.hasMember(ref, this.#given);
  }

  /**
   * Adds a member that is not there, an external string that nobody else has; it
   * is the set's from now on, or has been freed if this throws.
   */
  insertRun(ref: number, run: number, length: number, hash: number): void {
    this.#nodes.adoptNode(run, length, hash, false, 0);
    try {
      this.#insertRun(ref, run);
    } catch (cause) {
      this.#heap.free(run);
      throw cause;
    }
  }

  #insertRun(ref: number, node: number): void {
    if (valueRoot(this.#arena, ref) !== 0) {
      if (!this.isTable(ref)) this.#makeTable(ref);
      return this.#nodes.insert(valueRoot(this.#arena, ref), node);
    }
    const made = this.#nodes.create();
    try {
      this.#nodes.insert(made, node);
    } catch (cause) {
      this.#heap.free(made);
      throw cause;
    }
    setValue(this.#arena, ref, SET_TABLE, made);
  }

  /** Removes a member; false if it is not there. */
  remove(ref: number, buf: Uint8Array, off: number, length: number): boolean {
    this.#given.setText(buf, off, length);
    return this.removeMember(ref, this.#given);
  }

  /** As {@linkcode SetValue.remove}, of a member that is in another set. */
  removeMember(ref: number, member: SetMember): boolean {
    if (!this.hasMember(ref, member)) return false;
    this.#removePlace(ref, this.#found);
    return true;
  }

  /** Where {@linkcode SetValue.visit} begins. */
  firstPlace(ref: number): number {
    return valueEncoding(this.#arena, ref) === SET_LISTPACK
      ? LISTPACK_HEADER_BYTES
      : 0;
  }

  /** The place behind the last one. */
  endPlace(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    switch (valueEncoding(this.#arena, ref)) {
      case SET_TABLE:
        return this.#nodes.buckets(root);
      case SET_LISTPACK:
        return this.#listpacks.bytes(root) - 1;
      default:
        return this.intsets.count(root);
    }
  }

  /**
   * Visits the members of one place and returns the next place. The set must
   * not change before the last place was visited; others may.
   */
  visit(ref: number, place: number, visitor: MemberVisitor): number {
    return this.#visit(ref, place, visitor, this.#visited);
  }

  /** Visits all members. */
  visitAll(ref: number, visitor: MemberVisitor): void {
    const end = this.endPlace(ref);
    for (let place = this.firstPlace(ref); place < end;) {
      place = this.#visit(ref, place, visitor, this.#visited);
    }
  }

  /**
   * Visits members as {@linkcode Dict.scan} has it: those of one cursor position
   * of a table, or all of a packed set. Returns the next cursor.
   */
  scan(ref: number, cursor: number, visitor: MemberVisitor): number {
    if (this.isTable(ref)) {
      const root = valueRoot(this.#arena, ref);
      this.#scanVisitor = visitor;
      return this.#nodes.scan(root, cursor, this.#visitScanned);
    }
    this.visitAll(ref, visitor);
    return 0;
  }

  /** A member at random, all equally likely; the set is not empty. */
  draw(ref: number): SetMember {
    const root = valueRoot(this.#arena, ref);
    switch (valueEncoding(this.#arena, ref)) {
      case SET_TABLE:
        this.#found = this.#nodes.draw(root);
        break;
      case SET_LISTPACK: {
        const listpacks = this.#listpacks;
        const index = this.#memory.random.below(listpacks.count(root));
        this.#found = listpacks.seek(root, index);
        break;
      }
      default:
        this.#found = this.#memory.random.below(this.intsets.count(root));
    }
    this.#readPlace(ref, this.#found, this.#drawn);
    return this.#drawn;
  }

  /** Removes the member that was drawn last, nothing having changed since. */
  removeDrawn(ref: number): void {
    this.#removePlace(ref, this.#found);
  }

  /**
   * Chooses so many members, no more than there are, all sets of them equally
   * likely; to be read with {@linkcode SetValue.chosen}.
   */
  choose(ref: number, count: number): void {
    this.#chosenCount = 0;
    if (count > this.#chosen.length || this.#chosen.length > CHOSEN_KEPT) {
      this.#chosen = new Int32Array(Math.max(count, CHOSEN_KEPT));
    }
    const length = this.length(ref);
    const isTable = this.isTable(ref);
    if (isTable && count * 4 < length) return this.#chooseNodes(ref, count);
    const sampler = new SelectionSampler(this.#memory.random);
    sampler.begin(count, length);
    if (isTable) this.#passNodes(ref, sampler);
    else this.#passPlaces(ref, sampler);
  }

  /** Member `i` of those that were chosen. */
  chosen(ref: number, i: number): SetMember {
    this.#readPlace(ref, this.#chosen[i]!, this.#drawn);
    return this.#drawn;
  }

  /** Removes the members that were chosen, nothing having changed since. */
  removeChosen(ref: number): void {
    const listpack = this.listpackOf(ref);
    if (listpack !== 0) {
      const listpacks = this.#listpacks;
      const count = this.#chosenCount;
      const made = listpacks.removeEach(listpack, this.#chosen, count);
      setValueRoot(this.#arena, ref, made);
      this.#chosenCount = 0;
      return;
    }
    // From the last one on: places before one that is removed stay good.
    for (let i = this.#chosenCount - 1; i >= 0; i--) {
      this.#removePlace(ref, this.#chosen[i]!);
    }
    this.#chosenCount = 0;
  }

  memoryBytes(ref: number, samples: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    const bytes = this.#heap.unitsOf(root) << 3;
    return this.isTable(ref) ? bytes + this.#nodes.bytes(root, samples) : bytes;
  }

  weight(ref: number): number {
    return this.isTable(ref) ? this.length(ref) + 1 : 1;
  }

  free(ref: number): void {
    this.freeSlice(ref, Infinity);
  }

  freeSlice(ref: number, budget: number): boolean {
    const root = valueRoot(this.#arena, ref);
    if (root !== 0) {
      if (this.isTable(ref) && !this.#nodes.clearSlice(root, budget)) {
        return false;
      }
      this.#heap.free(root);
    }
    setValue(this.#arena, ref, SET_INTSET, 0);
    return true;
  }

  copyFrom(source: SetValue, sourceRef: number, ref: number): void {
    const root = valueRoot(source.#arena, sourceRef);
    if (root === 0) return;
    const encoding = valueEncoding(source.#arena, sourceRef);
    const made = encoding === SET_TABLE
      ? this.#tableFrom(source, sourceRef)
      : encoding === SET_LISTPACK
      ? source.#listpacks.copyTo(root, this.#listpacks)
      : source.intsets.copyTo(root, this.intsets);
    setValue(this.#arena, ref, encoding, made);
  }

  /**
   * Makes a set whose members are all integers an intset, if the limit allows
   * it.
   */
  makeIntset(ref: number): void {
    const encoding = valueEncoding(this.#arena, ref);
    if (
      encoding === SET_INTSET ||
      this.length(ref) > this.#limits.setMaxIntsetEntries
    ) return;
    const { intsets } = this;
    let made = intsets.create();
    const adder: MemberVisitor = {
      member(member) {
        member.isInteger();
        const { hi, lo } = member;
        made = intsets.insert(made, ~intsets.search(made, hi, lo), hi, lo);
      },
    };
    try {
      this.visitAll(ref, adder);
    } catch (cause) {
      intsets.free(made);
      throw cause;
    }
    this.free(ref);
    setValue(this.#arena, ref, SET_INTSET, made);
  }

  /** The intset of a set that is one, or 0. */
  intsetOf(ref: number): number {
    return valueEncoding(this.#arena, ref) === SET_INTSET
      ? valueRoot(this.#arena, ref)
      : 0;
  }

  /** The listpack of a packed set, or 0. */
  listpackOf(ref: number): number {
    return valueEncoding(this.#arena, ref) === SET_LISTPACK
      ? valueRoot(this.#arena, ref)
      : 0;
  }

  /**
   * Gives the entry, whose set is empty, an intset that has members; it becomes
   * a table if there are more than the limit allows. Owns the intset at once.
   */
  adoptIntset(ref: number, intset: number): void {
    setValue(this.#arena, ref, SET_INTSET, intset);
    if (this.intsets.count(intset) > this.#limits.setMaxIntsetEntries) {
      this.#makeTable(ref);
    }
  }

  /**
   * Gives the entry, whose set is empty, a listpack that has members, each once;
   * it becomes a table if there are more than the limit allows. Owns the listpack at
   * once.
   */
  adoptListpack(ref: number, listpack: number): void {
    setValue(this.#arena, ref, SET_LISTPACK, listpack);
    if (this.length(ref) > this.#limits.setMaxListpackEntries) {
      this.#makeTable(ref);
    }
  }

  #addToTable(ref: number, member: SetMember): boolean {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) {
      const made = this.#nodes.create();
      try {
        this.#insertNode(made, member);
      } catch (cause) {
        this.#heap.free(made);
        throw cause;
      }
      setValueRoot(this.#arena, ref, made);
      return true;
    }
    if (this.hasMember(ref, member)) return false;
    this.#insertNode(root, member);
    return true;
  }

  /** Adds a member that is not there to a table. */
  #insertNode(root: number, member: SetMember): void {
    const hash = member.hash(this.#seed0, this.#seed1);
    const buf = member.text();
    const { off, length } = member;
    const node = this.#nodes.makeNode(buf, off, length, hash, false, 0);
    try {
      this.#nodes.insert(root, node);
    } catch (cause) {
      this.#heap.free(node);
      throw cause;
    }
  }

  #addToListpack(ref: number, member: SetMember): boolean {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return this.#beginListpack(ref, member, 1);
    const buf = member.text();
    const { off, length } = member;
    const listpacks = this.#listpacks;
    const first = listpacks.first(root);
    if (listpacks.find(root, first, buf, off, length, 0) !== 0) return false;
    if (this.#appendToListpack(ref, member)) return true;
    this.#makeTable(ref);
    return this.#addToTable(ref, member);
  }

  /** Adds a member that is not there, unless the limits forbid it. */
  #appendToListpack(ref: number, member: SetMember): boolean {
    const root = valueRoot(this.#arena, ref);
    const buf = member.text();
    const { off, length } = member;
    const listpacks = this.#listpacks;
    const bytes = listpacks.bytes(root);
    const { setMaxListpackEntries, setMaxListpackValue } = this.#limits;
    if (
      length > setMaxListpackValue || bytes + length > PACKED_BYTES_MAX ||
      listpacks.count(root) >= setMaxListpackEntries
    ) return false;
    let listpack = root;
    const needed = length + ELEMENT_OVERHEAD;
    if (bytes + needed > this.#heap.unitsOf(root) << 3) {
      // With a quarter to spare, so that not each member moves the listpack.
      listpack = listpacks.reserve(root, needed + (bytes >>> 2));
    }
    // It has room, so this cannot fail.
    listpack = listpacks.append(listpack, buf, off, length);
    setValueRoot(this.#arena, ref, listpack);
    return true;
  }

  /** Adds the first member, and makes room for `count` of them. */
  #beginListpack(ref: number, member: SetMember, count: number): boolean {
    const buf = member.text();
    const { off, length } = member;
    const { setMaxListpackEntries, setMaxListpackValue } = this.#limits;
    if (setMaxListpackEntries === 0 || length > setMaxListpackValue) {
      this.begin(ref, SET_TABLE);
      return this.#addToTable(ref, member);
    }
    const listpacks = this.#listpacks;
    const others = (count - 1) * (length + 2);
    const room = LISTPACK_EMPTY_BYTES + length + ELEMENT_OVERHEAD +
      Math.min(others, PACKED_BYTES_MAX);
    const listpack = listpacks.append(
      listpacks.create(room),
      buf,
      off,
      length,
    );
    setValueRoot(this.#arena, ref, listpack);
    return true;
  }

  #addToIntset(ref: number, member: SetMember): boolean {
    const { intsets } = this;
    const { hi, lo } = member;
    const root = valueRoot(this.#arena, ref);
    const index = root === 0 ? ~0 : intsets.search(root, hi, lo);
    if (index >= 0) return false;
    const count = root === 0 ? 0 : intsets.count(root);
    if (count >= this.#limits.setMaxIntsetEntries) {
      this.#makeTable(ref);
      return this.#addToTable(ref, member);
    }
    const intset = root === 0 ? intsets.create() : root;
    setValueRoot(this.#arena, ref, intsets.insert(intset, ~index, hi, lo));
    return true;
  }

  #addStringToIntset(ref: number, member: SetMember): boolean {
    member.text();
    const { setMaxListpackEntries, setMaxListpackValue } = this.#limits;
    if (
      this.length(ref) < setMaxListpackEntries &&
      member.length <= setMaxListpackValue &&
      this.#longestText(ref) <= setMaxListpackValue
    ) {
      this.#makeListpack(ref, member.length);
      return this.#addToListpack(ref, member);
    }
    this.#makeTable(ref);
    return this.#addToTable(ref, member);
  }

  /** Bytes of the longest text of an intset. */
  #longestText(ref: number): number {
    const count = this.length(ref);
    if (count === 0) return 0;
    const moved = this.#moved;
    this.#readPlace(ref, 0, moved);
    moved.text();
    const { length } = moved;
    this.#readPlace(ref, count - 1, moved);
    moved.text();
    return Math.max(length, moved.length);
  }

  /** Makes an intset a listpack, with room for one more member. */
  #makeListpack(ref: number, length: number): void {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return this.begin(ref, SET_LISTPACK);
    const listpacks = this.#listpacks;
    const moved = this.#moved;
    const count = this.intsets.count(root);
    let made = listpacks.create(
      LISTPACK_EMPTY_BYTES + count * (this.intsets.width(root) + 2) + length +
        ELEMENT_OVERHEAD,
    );
    // There is room for all of them.
    for (let i = 0; i < count; i++) {
      this.#readPlace(ref, i, moved);
      const buf = moved.text();
      made = listpacks.append(made, buf, moved.off, moved.length);
    }
    this.intsets.free(root);
    setValue(this.#arena, ref, SET_LISTPACK, made);
  }

  #makeTable(ref: number): void {
    const packed = valueRoot(this.#arena, ref);
    if (packed === 0) return this.begin(ref, SET_TABLE);
    const made = this.#tableFrom(this, ref);
    this.#heap.free(packed);
    setValue(this.#arena, ref, SET_TABLE, made);
  }

  /** A table with the members of a set of any encoding. */
  #tableFrom(source: SetValue, sourceRef: number): number {
    const made = this.#nodes.create();
    this.#target = made;
    try {
      const end = source.endPlace(sourceRef);
      for (let place = source.firstPlace(sourceRef); place < end;) {
        place = source.#visit(sourceRef, place, this.#copier, source.#moved);
      }
    } catch (cause) {
      this.#nodes.clear(made);
      this.#heap.free(made);
      throw cause;
    }
    return made;
  }

  #visit(
    ref: number,
    place: number,
    visitor: MemberVisitor,
    member: SetMember,
  ): number {
    if (this.isTable(ref)) {
      const nodes = this.#nodes;
      const found = nodes.gather(valueRoot(this.#arena, ref), place);
      for (let i = 0; i < found; i++) {
        this.#readNode(nodes.gathered(i), member);
        visitor.member(member);
      }
      return place + 1;
    }
    this.#readPlace(ref, place, member);
    visitor.member(member);
    return this.#nextPlace(ref, place);
  }

  /** The place behind one of a packed set. */
  #nextPlace(ref: number, place: number): number {
    if (valueEncoding(this.#arena, ref) === SET_INTSET) return place + 1;
    const root = valueRoot(this.#arena, ref);
    return this.#listpacks.next(root, place) || this.endPlace(ref);
  }

  /** Reads the member at a place, or a node's. */
  #readPlace(ref: number, place: number, member: SetMember): void {
    const root = valueRoot(this.#arena, ref);
    switch (valueEncoding(this.#arena, ref)) {
      case SET_TABLE:
        return this.#readNode(place, member);
      case SET_LISTPACK:
        this.#listpacks.read(root, place, member.item);
        return member.setItem();
      default: {
        this.intsets.read(root, place);
        const { hi, lo } = this.intsets.member;
        member.setInteger(hi, lo);
      }
    }
  }

  #readNode(node: number, member: SetMember): void {
    const nodes = this.#nodes;
    member.setHashed(
      nodes.bytesOf(node),
      nodes.keyOff(node),
      nodes.keyLength(node),
      nodes.hashOf(node),
    );
  }

  #removePlace(ref: number, place: number): void {
    const root = valueRoot(this.#arena, ref);
    switch (valueEncoding(this.#arena, ref)) {
      case SET_TABLE:
        return this.#nodes.remove(root, place);
      case SET_LISTPACK:
        return setValueRoot(
          this.#arena,
          ref,
          this.#listpacks.remove(root, place),
        );
      default:
        setValueRoot(this.#arena, ref, this.intsets.remove(root, place));
    }
  }

  /** Draws nodes until there are enough different ones. */
  #chooseNodes(ref: number, count: number): void {
    const root = valueRoot(this.#arena, ref);
    const drawn = new IntegerSet(count);
    while (this.#chosenCount < count) {
      const node = this.#nodes.draw(root);
      if (drawn.add(node)) this.#chosen[this.#chosenCount++] = node;
    }
  }

  #passNodes(ref: number, sampler: SelectionSampler): void {
    const nodes = this.#nodes;
    const root = valueRoot(this.#arena, ref);
    for (let bucket = 0; sampler.wanted > 0; bucket++) {
      const found = nodes.gather(root, bucket);
      for (let i = 0; i < found && sampler.wanted > 0; i++) {
        if (!sampler.takesNext()) continue;
        this.#chosen[this.#chosenCount++] = nodes.gathered(i);
      }
    }
  }

  #passPlaces(ref: number, sampler: SelectionSampler): void {
    let place = this.firstPlace(ref);
    while (sampler.wanted > 0) {
      if (sampler.takesNext()) this.#chosen[this.#chosenCount++] = place;
      place = this.#nextPlace(ref, place);
    }
  }
}
