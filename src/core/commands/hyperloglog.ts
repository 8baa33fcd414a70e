/**
 * Commands on HyperLogLogs, which are strings of a format of their own: see
 * types/hyperloglog.ts.
 *
 * A dense value is changed where it lies. A sparse one is changed in a buffer
 * and written back, so what it grows to is known before the key is touched.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import type { Prng } from "../base/prng.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import { CHANGED, PFADD } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { isLocked } from "../keyspace/locking.ts";
import type { Arguments } from "../resp/arguments.ts";
import {
  type ErrorReply,
  HYPERLOGLOG_CORRUPT,
  HYPERLOGLOG_NOT_SPARSE,
  HYPERLOGLOG_TEST_FAILED,
  NOT_A_HYPERLOGLOG,
  SPECIFIED_KEY_MISSING,
  unknownPfdebugSubcommand,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { STRING_RAW, TYPE_STRING } from "../types/entry.ts";
import {
  addDense,
  bigCardinalityOf,
  cardinalityOf,
  countHll,
  countRegisters,
  denseRegister,
  describeSparse,
  encodingOfHll,
  forgetCardinality,
  HLL_DENSE,
  HLL_REGISTERS,
  HLL_SPARSE,
  HyperLogLogEditor,
  isCardinalityKnown,
  mergeInto,
  placeOf,
  setCardinality,
} from "../types/hyperloglog.ts";
import { argumentIs } from "./arg_reader.ts";
import type { Call, SlicedChange } from "./call.ts";
import {
  type CommandSpec,
  keyAt,
  keysFrom,
  type LateReply,
} from "./command_spec.ts";
import { type ChangeRecord, recordInSlices } from "./given_record.ts";
import {
  encodingAt,
  isHll,
  load,
  replyCount,
  storeEditor,
  writeBack,
} from "./hyperloglog_entry.ts";
import { COMBINED, COMBINED_READ } from "./many_keys.ts";
import {
  isLongMerge,
  isLongUnion,
  UnionCounting,
  UnionStoring,
} from "./hyperloglog_slices.ts";
import { endOfSlice, FEW_ARGUMENTS, isLongRequest } from "./many_arguments.ts";
import { makeChange } from "./sliced_change.ts";
import { type StagedNodes, stagePlaces } from "./staged_nodes.ts";
import { readEntry, writeEntry, WRONG } from "./typed_entry.ts";

const GETREG = bytesOf("getreg");
const DECODE = bytesOf("decode");
const ENCODING = bytesOf("encoding");
const TODENSE = bytesOf("todense");

const SELF_TEST_ELEMENTS = 100_000;
/** As many are added to a sparse one too, which takes longer with each. */
const SELF_TEST_SPARSE = 1000;
/** Bytes of a sparse one, as a power of two, that cost as much as an element. */
const WEIGHT_SHIFT = 8;
/** To hash an element takes as long as to look for so many arguments. */
const HASHED_WEIGHT = 3;
/** How far off the estimates of the self-test may be: six standard errors. */
const SELF_TEST_ERROR = 6 * 1.04 / 128;

/** Loaded anew by each command. */
const EDITOR = new HyperLogLogEditor();
/** Registers of a union, filled anew by each command. */
const REGISTERS = new Uint8Array(HLL_REGISTERS);

/** The elements of PFADD. */
function stageElements(call: Call): void {
  stagePlaces(call, 2, placeOf);
}

/** `PFADD key [element ...]` */
function pfaddCommand(call: Call): void | Promise<LateReply> {
  const ref = writeEntry(call, 0, TYPE_STRING);
  if (ref === WRONG) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  if (ref !== 0 && !isHll(space, ref)) {
    return call.reply.error(NOT_A_HYPERLOGLOG);
  }
  if (call.argc > FEW_ARGUMENTS && isLongRequest(call, 2 * HASHED_WEIGHT)) {
    return makeChange(call, ref, new RegisterRaising(call, ref === 0));
  }
  if (ref === 0) EDITOR.clear();
  else if (encodingAt(space, ref) === HLL_DENSE) {
    return addToDense(call, space, ref);
  } else if (!load(EDITOR, space, ref)) {
    return call.reply.error(HYPERLOGLOG_CORRUPT);
  }

  const { args, argc } = call;
  const sparseBytesMax = call.settings.hllSparseMaxBytes;
  let raised = ref === 0 ? 1 : 0;
  for (let i = 2; i < argc; i++) {
    const place = placeAt(args, i, call.staged);
    const added = EDITOR.add(place, sparseBytesMax);
    if (added === "corrupt") return call.reply.error(HYPERLOGLOG_CORRUPT);
    if (added === "raised") raised++;
  }
  if (raised > 0) {
    storeEditor(EDITOR, space, call.db, key, ref);
    space.hooks.changed(call.db, key, PFADD, raised);
  }
  call.reply.integer(raised > 0 ? 1 : 0);
}

/** The place of the element that is argument `i`. */
function placeAt(
  args: Arguments,
  i: number,
  staged: StagedNodes | null,
): number {
  return staged?.hashOf(i) ??
    placeOf(args.source(i), args.off[i]!, args.length[i]!);
}

/** PFADD of many elements, to a copy that is written back when all are added. */
class RegisterRaising implements SlicedChange {
  readonly isLong = true;
  /** Set if the value is corrupt, and stays as it is. */
  error: ErrorReply | null = null;
  readonly #editor = new HyperLogLogEditor();
  readonly #sparseBytesMax: number;
  readonly #record: ChangeRecord | null;
  readonly #staged: StagedNodes | null;
  #isLoaded = false;
  #at = 2;
  #raised: number;

  constructor(call: Call, isNew: boolean) {
    this.#sparseBytesMax = call.settings.hllSparseMaxBytes;
    this.#raised = isNew ? 1 : 0;
    this.#record = recordInSlices(call);
    this.#staged = call.staged;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const editor = this.#editor;
    if (!this.#isLoaded) {
      this.#isLoaded = true;
      if (ref === 0) editor.clear();
      else if (!load(editor, space, ref)) this.error = HYPERLOGLOG_CORRUPT;
    }
    // Each change of a sparse one looks through its opcodes.
    const weight = HASHED_WEIGHT +
      (editor.isDense ? 0 : editor.length >> WEIGHT_SHIFT);
    const end = endOfSlice(args, this.#at, 1, weight);
    this.#record?.addUpTo(args, end);
    for (; this.#at < end && this.error === null; this.#at++) {
      const i = this.#at;
      const place = placeAt(args, i, this.#staged);
      const added = editor.add(place, this.#sparseBytesMax);
      if (added === "corrupt") this.error = HYPERLOGLOG_CORRUPT;
      if (added === "raised") this.#raised++;
    }
    return this.error === null && end < args.count;
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const { error } = this;
    if (error !== null) return (reply) => reply.error(error);
    const raised = this.#raised;
    if (raised > 0) {
      storeEditor(this.#editor, space, db, key, space.peek(db, key));
      this.#record?.end(effects);
      space.hooks.changed(db, key, PFADD, raised);
    }
    return (reply) => reply.integer(raised > 0 ? 1 : 0);
  }
}

function addToDense(call: Call, space: Keyspace, ref: number): void {
  const { args, argc } = call;
  const entry = own(call, space, ref);
  const bytes = space.strings.bytes(entry);
  const off = space.strings.off(entry);
  let raised = 0;
  for (let i = 2; i < argc; i++) {
    const place = placeAt(args, i, call.staged);
    if (addDense(bytes, off, place)) raised++;
  }
  if (raised > 0) {
    forgetCardinality(bytes, off);
    space.hooks.changed(call.db, call.key(0), PFADD, raised);
  }
  call.reply.integer(raised > 0 ? 1 : 0);
}

/**
 * `PFCOUNT key [key ...]`: of one key, the estimate is kept in the value, so
 * that it is not computed again until it has changed.
 */
function pfcountCommand(call: Call): void | Promise<LateReply> {
  if (isLongUnion(call)) return makeChange(call, 0, new UnionCounting(call));
  if (call.keyCount > 1) return countUnion(call);
  const ref = readEntry(call, 0, TYPE_STRING);
  if (ref === WRONG) return;
  if (ref === 0) return call.reply.integer(0);
  const space = call.keyspace(call.key(0));
  if (!isHll(space, ref)) return call.reply.error(NOT_A_HYPERLOGLOG);
  // Who has the key locked reads its bytes: they stay as they are.
  const isKept = isLocked(space, call.db, ref);
  const entry = isKept ? ref : own(call, space, ref);
  const bytes = space.strings.bytes(entry);
  const off = space.strings.off(entry);
  if (isCardinalityKnown(bytes, off)) {
    const known = cardinalityOf(bytes, off);
    if (Number.isSafeInteger(known)) return call.reply.integer(known);
    return call.reply.bigInteger(bigCardinalityOf(bytes, off));
  }
  const count = countHll(bytes, off, space.strings.length(entry));
  if (count === -1) return call.reply.error(HYPERLOGLOG_CORRUPT);
  if (!isKept) {
    setCardinality(bytes, off, count);
    space.hooks.changed(call.db, call.key(0), CHANGED);
  }
  replyCount(call.reply, count);
}

function countUnion(call: Call): void {
  REGISTERS.fill(0);
  for (let i = 0; i < call.keyCount; i++) {
    if (mergeKey(call, i) === WRONG) return;
  }
  replyCount(call.reply, countRegisters(REGISTERS));
}

/** `PFMERGE destkey [sourcekey ...]`: the target is one of the sources. */
function pfmergeCommand(call: Call): void | Promise<LateReply> {
  if (isLongMerge(call)) return makeChange(call, 0, new UnionStoring(call));
  REGISTERS.fill(0);
  let dense = false;
  for (let i = 0; i < call.keyCount; i++) {
    const encoding = mergeKey(call, i);
    if (encoding === WRONG) return;
    if (encoding === HLL_DENSE) dense = true;
  }
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(call.db, key, call.nowMs);
  if (ref === 0) EDITOR.clear();
  else if (!load(EDITOR, space, ref)) {
    return call.reply.error(HYPERLOGLOG_CORRUPT);
  }
  if (dense && !EDITOR.makeDense()) {
    return call.reply.error(HYPERLOGLOG_CORRUPT);
  }
  const sparseBytesMax = call.settings.hllSparseMaxBytes;
  for (let i = 0; i < HLL_REGISTERS; i++) {
    const value = REGISTERS[i]!;
    if (value > 0) EDITOR.raise(i, value, sparseBytesMax);
  }
  storeEditor(EDITOR, space, call.db, key, ref);
  space.hooks.changed(call.db, key, PFADD);
  call.reply.ok();
}

/**
 * Raises {@linkcode REGISTERS} to those of key `i`. Returns its encoding, that
 * of nothing being sparse, or WRONG after an error reply.
 */
function mergeKey(call: Call, i: number): number {
  const ref = readEntry(call, i, TYPE_STRING);
  if (ref === WRONG) return WRONG;
  if (ref === 0) return HLL_SPARSE;
  const space = call.keyspace(call.key(i));
  if (!isHll(space, ref)) {
    call.reply.error(NOT_A_HYPERLOGLOG);
    return WRONG;
  }
  const bytes = space.strings.bytes(ref);
  const off = space.strings.off(ref);
  if (!mergeInto(REGISTERS, bytes, off, space.strings.length(ref))) {
    call.reply.error(HYPERLOGLOG_CORRUPT);
    return WRONG;
  }
  return encodingOfHll(bytes, off);
}

/** `PFDEBUG GETREG | DECODE | ENCODING | TODENSE key` */
function pfdebugCommand(call: Call): void {
  const { args, reply } = call;
  const found = writeEntry(call, 0, TYPE_STRING);
  if (found === WRONG) return;
  if (found === 0) return reply.error(SPECIFIED_KEY_MISSING);
  const key = call.key(0);
  const space = call.keyspace(key);
  if (!isHll(space, found)) return reply.error(NOT_A_HYPERLOGLOG);
  const ref = own(call, space, found);
  if (argumentIs(call, 1, GETREG)) return replyRegisters(call, space, key, ref);
  if (argumentIs(call, 1, DECODE)) return replyOpcodes(reply, space, ref);
  if (argumentIs(call, 1, ENCODING)) {
    const isDense = encodingAt(space, ref) === HLL_DENSE;
    return reply.simple(isDense ? "dense" : "sparse");
  }
  if (!argumentIs(call, 1, TODENSE)) {
    return reply.error(unknownPfdebugSubcommand(args.copy(1)));
  }
  const converted = makeDense(call, space, key, ref);
  if (converted !== WRONG) reply.integer(converted);
}

/** All registers, of a value that is made dense for it. */
function replyRegisters(
  call: Call,
  space: Keyspace,
  key: Key,
  ref: number,
): void {
  if (makeDense(call, space, key, ref) === WRONG) return;
  const entry = space.peek(call.db, key);
  const bytes = space.strings.bytes(entry);
  const off = space.strings.off(entry);
  call.reply.array(HLL_REGISTERS);
  for (let i = 0; i < HLL_REGISTERS; i++) {
    call.reply.integer(denseRegister(bytes, off, i));
  }
}

/** 1 if the value was sparse, 0 if not, or WRONG after an error reply. */
function makeDense(
  call: Call,
  space: Keyspace,
  key: Key,
  ref: number,
): number {
  if (encodingAt(space, ref) === HLL_DENSE) return 0;
  if (!load(EDITOR, space, ref) || !EDITOR.makeDense()) {
    call.reply.error(HYPERLOGLOG_CORRUPT);
    return WRONG;
  }
  writeBack(EDITOR, space, call.db, key, ref);
  space.hooks.changed(call.db, key, CHANGED);
  return 1;
}

function replyOpcodes(reply: ReplyWriter, space: Keyspace, ref: number): void {
  if (encodingAt(space, ref) === HLL_DENSE) {
    return reply.error(HYPERLOGLOG_NOT_SPARSE);
  }
  reply.bulkText(
    describeSparse(
      space.strings.bytes(ref),
      space.strings.off(ref),
      space.strings.length(ref),
    ),
  );
}

/**
 * `PFSELFTEST`: a sparse and a dense one that get the same elements must say
 * about the same as was added, and so must their registers.
 */
function pfselftestCommand(call: Call): void {
  if (testEstimates(call.random)) call.reply.ok();
  else call.reply.error(HYPERLOGLOG_TEST_FAILED);
}

function testEstimates(random: Prng): boolean {
  const dense = new HyperLogLogEditor();
  const element = new Int32Array(2);
  const elementBytes = new Uint8Array(element.buffer);
  element[1] = random.below(2 ** 31);
  dense.clear();
  if (!dense.makeDense()) return false;
  EDITOR.clear();
  let checked = 1;
  for (let n = 1; n <= SELF_TEST_ELEMENTS; n++) {
    element[0] = n;
    const place = placeOf(elementBytes, 0, elementBytes.length);
    dense.add(place, 0);
    if (n <= SELF_TEST_SPARSE && EDITOR.add(place, Infinity) === "corrupt") {
      return false;
    }
    if (n !== checked) continue;
    checked *= 10;
    const count = countHll(dense.bytes, 0, dense.length);
    const allowed = Math.max(1, Math.ceil(n * SELF_TEST_ERROR));
    if (Math.abs(count - n) > allowed) return false;
    if (n <= SELF_TEST_SPARSE && !hasSameRegisters(dense, count)) return false;
  }
  return true;
}

/** Whether the sparse one, in EDITOR, says what a dense one does. */
function hasSameRegisters(dense: HyperLogLogEditor, count: number): boolean {
  const { bytes, length } = EDITOR;
  if (countHll(bytes, 0, length) !== count) return false;
  REGISTERS.fill(0);
  return mergeInto(REGISTERS, bytes, 0, length) &&
    REGISTERS.every((value, i) => value === denseRegister(dense.bytes, 0, i));
}

/** Makes the bytes of a string the key's own to change; returns the entry. */
function own(call: Call, space: Keyspace, ref: number): number {
  return space.strings.resize(
    call.db,
    ref,
    space.strings.length(ref),
    STRING_RAW,
  );
}

/** Rows of the commands on HyperLogLogs. */
export const HYPERLOGLOG_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "pfadd",
    group: "hyperloglog",
    since: "2.8.9",
    summary: "Adds elements to a HyperLogLog, creating it if missing.",
    complexity: "O(1)",
    arity: -2,
    flags: ["write", "denyoom", "fast"],
    keys: [keyAt(1, "RW insert")],
    syntax: "key [element...]",
    replies: ["integer"],
    stage: stageElements,
    run: pfaddCommand,
  },
  {
    name: "pfcount",
    group: "hyperloglog",
    since: "2.8.9",
    summary: "Estimates how many elements HyperLogLogs have seen together.",
    complexity: "O(1)",
    arity: -2,
    flags: ["readonly", "may_replicate"],
    keys: [keysFrom(1, -1, "RW access")],
    syntax: "key...",
    replies: ["integer"],
    ...COMBINED_READ,
    run: pfcountCommand,
  },
  {
    name: "pfdebug",
    group: "hyperloglog",
    since: "2.8.9",
    summary: "Shows a HyperLogLog from inside.",
    arity: 3,
    flags: ["write", "denyoom", "admin"],
    keys: [keyAt(2, "RW access")],
    syntax: "subcommand key",
    replies: ["array", "integer", "status", "string"],
    docFlags: ["syscmd"],
    run: pfdebugCommand,
  },
  {
    name: "pfmerge",
    group: "hyperloglog",
    since: "2.8.9",
    summary: "Makes a HyperLogLog the union of itself and others.",
    complexity: "O(N)",
    arity: -2,
    flags: ["write", "denyoom"],
    keys: [keyAt(1, "RW access insert"), keysFrom(2, -1, "RO access")],
    syntax: "destkey:key [sourcekey:key...]",
    replies: ["status"],
    ...COMBINED,
    run: pfmergeCommand,
  },
  {
    name: "pfselftest",
    group: "hyperloglog",
    since: "2.8.9",
    summary: "Checks the arithmetic of HyperLogLogs.",
    arity: 1,
    flags: ["admin"],
    docFlags: ["syscmd"],
    replies: ["status"],
    run: pfselftestCommand,
  },
];
