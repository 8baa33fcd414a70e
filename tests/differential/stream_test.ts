import type { Reply } from "../_resp_reply.ts";
import { toBinary } from "../_resp_reply.ts";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { type Check, sameType } from "./_compare.ts";
import {
  consumer,
  count,
  group,
  newStreamId,
  pooled,
  streamBound,
  streamId,
} from "./_elements.ts";
import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  maybe,
  oneOf,
  options,
  type Part,
  repeat,
  row,
  sequence,
  word,
} from "./_generate.ts";

/** Fields that consumers have since 7.2. */
const NEWER_FIELDS = ["inactive", "active-time"];
/** Fields that tell times. */
const TIME_FIELDS = ["idle", "seen-time"];
/** How far the clocks of two right servers may be apart. */
const APART_MS = 20_000n;

/**
 * The same but for times, and for what is different since 7.2: consumers have
 * more fields, and are also made where there was nothing for them, so that those
 * with nothing pending do not count. Pending entries are `[ID, consumer, time,
 * deliveries]`, or without consumer.
 */
const sameButTimes: Check = (expected, actual) => {
  if (expected.type !== actual.type) return false;
  if (expected.type === "int" && actual.type === "int") {
    return expected.value === actual.value;
  }
  const a = childrenOf(expected);
  const b = childrenOf(actual);
  if (a === null || b === null) return textOf(expected) === textOf(actual);
  const [x, y] = [compared(a), compared(b)];
  return x.length === y.length &&
    x.every((one, i) =>
      isTime(x, i) && isTime(y, i)
        ? isNear(one, y[i]!)
        : isConsumerCount(x, i) || sameButTimes(one, y[i]!)
    );
};

function compared(children: readonly Reply[]): Reply[] {
  return withoutNewer(children).filter((child) => !isIdleConsumer(child));
}

/** A consumer that has nothing pending. */
function isIdleConsumer(reply: Reply): boolean {
  const children = childrenOf(reply) ?? [];
  return children.some((child) => isField(child, TIME_FIELDS)) &&
    children.some((child, i) =>
      isField(child, ["pending", "pel-count"]) && isZero(children[i + 1])
    );
}

function isZero(reply: Reply | undefined): boolean {
  return reply?.type === "int" && Number(reply.value) === 0;
}

function isConsumerCount(children: readonly Reply[], i: number): boolean {
  return i > 0 && children[i]!.type === "int" &&
    isField(children[i - 1]!, ["consumers"]);
}

function childrenOf(reply: Reply): Reply[] | null {
  if (reply.type === "array") return reply.value;
  return reply.type === "map" ? reply.value.flat() : null;
}

function withoutNewer(children: readonly Reply[]): Reply[] {
  return children.filter((child, i) =>
    !(isField(child, NEWER_FIELDS) && children[i + 1]?.type === "int") &&
    !(i > 0 && isField(children[i - 1]!, NEWER_FIELDS) && child.type === "int")
  );
}

function isField(reply: Reply, names: readonly string[]): boolean {
  return reply.type === "bulk" && names.includes(toBinary(reply.value));
}

function isTime(children: readonly Reply[], i: number): boolean {
  if (children[i]!.type !== "int") return false;
  if (i > 0 && isField(children[i - 1]!, TIME_FIELDS)) return true;
  const types = children.map(({ type }) => type).join(" ");
  return (types === "bulk bulk int int" && i === 2) ||
    (types === "bulk int int" && i === 1);
}

function isNear(a: Reply, b: Reply): boolean {
  if (a.type !== "int" || b.type !== "int") return false;
  const apart = BigInt(a.value) - BigInt(b.value);
  return apart <= APART_MS && apart >= -APART_MS;
}

function textOf(reply: Reply): string {
  return JSON.stringify(
    reply,
    (_, value) =>
      value instanceof Uint8Array
        ? toBinary(value)
        : typeof value === "bigint"
        ? `${value}n`
        : value,
  );
}

// Keys are echoed by errors, which cut long ones: short keys only.
const TAGS = tagsOnDistinctSlots(4);
const key = pooled("stream", TAGS.map((tag) => `{${tag}}s`), 1, 3);

const text = pooled(
  "text",
  ["", "f", "field", "12", "-7", "x".repeat(70), "9223372036854775807", "g"],
  2,
  4,
);
const fields = repeat(sequence(text, text), 1, 3);
const threshold = oneOf(
  count,
  among("0", "1", "2", "3", "5", "9223372036854775807"),
);
const strategy = oneOf(
  sequence(word("MAXLEN"), maybe(among("=", "~"), 0.6), threshold),
  sequence(word("MINID"), maybe(among("=", "~"), 0.6), streamId),
);
const limit = sequence(word("LIMIT"), count);
const trim = sequence(strategy, maybe(limit, 0.2));
const addOptions = oneOf(
  maybe(word("NOMKSTREAM"), 0.1),
  sequence(trim, maybe(word("NOMKSTREAM"), 0.1)),
  options(word("NOMKSTREAM"), strategy, limit),
);
const countOption = maybe(sequence(word("COUNT"), count), 0.4);
// Far from what a script lasts.
const minIdle = among(
  ...["0", "0", "0", "0", "50000", "900000", "-1"],
  ...["0", "0", "0", "50000", "abc", ""],
);

/** As `newStreamId`, accepted nearly always. */
const nextId: Part = ({ random, pools }) => {
  const last = Number(pools.get("last ID")?.[0] ?? "0");
  const ms = last + random.below(2);
  pools.set("last ID", [String(ms)]);
  return [`${ms}-*`];
};

/** The ID of an entry that probably was there. */
const likelyId: Part = ({ random, pools }) => {
  const last = Number(pools.get("last ID")?.[0] ?? "0");
  return [`${random.between(0, last)}-${random.pick([0, 0, 1, 2])}`];
};

/** One group and key nearly always, so that there is something pending. */
const oneKey: Part = (context) =>
  context.random.chance(0.95) ? [`{${TAGS[0]}}s`] : key(context);
const oneGroup: Part = (context) =>
  context.random.chance(0.9) ? ["g"] : group(context);

const entriesRead = maybe(
  sequence(word("ENTRIESREAD"), oneOf(count, integer)),
  0.2,
);
const groupId = oneOf(streamId, among("0", "0", "0", "$", "-", "+"));
const claimOptions = options(
  sequence(word("IDLE"), among("100000", "1", "-5", "abc", "99999999999999")),
  sequence(word("TIME"), among("0", "1000", "-1", "x", "9999999999999")),
  sequence(word("RETRYCOUNT"), oneOf(count, integer)),
  word("FORCE"),
  word("FORCE"),
  word("JUSTID"),
  sequence(word("LASTID"), streamId),
);
const readId = oneOf(streamId, streamId, among("0", "0", "0", "$", ">", "-"));
const groupReadId = oneOf(
  among(">", ">", ">", ">", "0", "$", "<"),
  streamId,
);

/** Keys, then as many IDs. */
function streams(id: Part): Part {
  return (context) => {
    const { random } = context;
    const n = random.chance(0.6) ? 1 : random.between(1, 3);
    const times = (part: Part) =>
      Array.from({ length: n }, () => part(context));
    return [...times(key), ...times(id)].flat();
  };
}

const check = sameButTimes;

differentialFamily("stream", [
  row("XADD", [key, nextId, fields], { weight: 8 }),
  row("XADD", [key, newStreamId, fields], { weight: 6 }),
  row("XADD", [key, addOptions, newStreamId, fields], { weight: 6 }),
  row("XADD", [key, trim, nextId, fields], { weight: 3 }),
  row("XADD", [key, addOptions, streamId, fields], { weight: 2 }),
  row("XLEN", [key]),
  row("XRANGE", [key, streamBound, streamBound, countOption], { weight: 3 }),
  row("XRANGE", [key, among("-"), among("+")], { weight: 3 }),
  row("XREVRANGE", [key, streamBound, streamBound, countOption], { weight: 3 }),
  row("XREVRANGE", [key, among("+"), among("-")], { weight: 2 }),
  row("XDEL", [key, repeat(likelyId, 1, 4)], { weight: 3 }),
  row("XDEL", [key, repeat(streamId, 1, 4)]),
  row("XTRIM", [key, trim], { weight: 3 }),
  row("XTRIM", [key, options(strategy, limit)]),
  // Lesser IDs than one that was deleted are refused since 7.2.
  row("XSETID", [
    key,
    among("23-1", "24", "24-2", "a", ""),
    options(
      sequence(word("ENTRIESADDED"), oneOf(count, integer)),
      sequence(word("MAXDELETEDID"), streamId),
    ),
  ], { weight: 0.5 }),
  row("XREAD", [countOption, word("STREAMS"), streams(readId)], {
    weight: 4,
    keepsArity: true,
  }),
  row("XREAD", [
    options(
      sequence(word("COUNT"), count),
      sequence(word("GROUP"), group, consumer),
      word("NOACK"),
      sequence(word("BLOCK"), among("abc", "-1", "")),
    ),
    word("STREAMS"),
    streams(readId),
  ], { keepsArity: true }),
  row("XINFO STREAM", [key], { weight: 3 }),
  row("XINFO STREAM", [
    key,
    word("FULL"),
    maybe(sequence(word("COUNT"), count), 0.5),
  ], { weight: 3, check }),
  row("DEL", [key], { weight: 0.3 }),
  row("COPY", [key, key, maybe(word("REPLACE"))]),
  row("RENAME", [key, key], { weight: 0.5 }),
  row("TYPE", [key], { weight: 0.3 }),
  row("EXISTS", [key], { weight: 0.3 }),
  row("SET", [key, text], { weight: 0.1 }),
], { smallLimits: true });

differentialFamily("stream groups", [
  row("XADD", [oneKey, nextId, fields], { weight: 12 }),
  row("XDEL", [oneKey, repeat(likelyId, 1, 3)], { weight: 2 }),
  row("XTRIM", [oneKey, strategy], { weight: 0.5 }),
  row("XSETID", [
    oneKey,
    among("40", "50-1"),
    maybe(sequence(word("ENTRIESADDED"), count)),
  ], { weight: 0.1 }),
  row("XREADGROUP", [
    word("GROUP"),
    oneGroup,
    consumer,
    countOption,
    maybe(word("NOACK"), 0.2),
    word("STREAMS"),
    oneKey,
    groupReadId,
  ], { weight: 12, keepsArity: true }),
  row("XREADGROUP", [
    word("GROUP"),
    oneGroup,
    consumer,
    options(sequence(word("COUNT"), count), word("NOACK")),
    word("STREAMS"),
    streams(groupReadId),
  ], { weight: 2, keepsArity: true }),
  row("XGROUP CREATE", [
    oneKey,
    oneGroup,
    groupId,
    maybe(word("MKSTREAM"), 0.7),
    entriesRead,
  ], { weight: 9 }),
  row("XGROUP CREATE", [
    key,
    group,
    groupId,
    options(word("MKSTREAM"), sequence(word("ENTRIESREAD"), integer)),
  ]),
  row("XGROUP SETID", [oneKey, oneGroup, groupId, entriesRead], { weight: 2 }),
  row("XGROUP DESTROY", [oneKey, oneGroup], { weight: 0.2 }),
  row("XGROUP CREATECONSUMER", [oneKey, oneGroup, consumer], {
    check: sameType,
  }),
  row("XGROUP DELCONSUMER", [oneKey, oneGroup, consumer], { weight: 0.3 }),
  row("XACK", [oneKey, oneGroup, repeat(likelyId, 1, 4)], { weight: 2 }),
  row("XACK", [oneKey, oneGroup, repeat(streamId, 1, 2)], { weight: 0.5 }),
  row("XPENDING", [oneKey, oneGroup], { weight: 2 }),
  row("XPENDING", [
    oneKey,
    oneGroup,
    maybe(sequence(word("IDLE"), minIdle), 0.3),
    streamBound,
    streamBound,
    count,
    maybe(consumer, 0.4),
  ], { weight: 4, check }),
  row("XCLAIM", [
    oneKey,
    oneGroup,
    consumer,
    minIdle,
    repeat(likelyId, 1, 4),
    claimOptions,
  ], { weight: 5, keepsArity: true }),
  row("XAUTOCLAIM", [
    oneKey,
    oneGroup,
    consumer,
    minIdle,
    streamBound,
    options(sequence(word("COUNT"), oneOf(count, integer)), word("JUSTID")),
  ], { weight: 4 }),
  row("XINFO STREAM", [
    oneKey,
    word("FULL"),
    maybe(sequence(word("COUNT"), count), 0.5),
  ], { weight: 4, check }),
  row("XINFO GROUPS", [oneKey], { weight: 4, check }),
  row("XINFO CONSUMERS", [oneKey, oneGroup], { weight: 2, check }),
  row("COPY", [oneKey, key, maybe(word("REPLACE"))], { weight: 0.5 }),
  row("RENAME", [oneKey, key], { weight: 0.1 }),
  row("SET", [oneKey, text], { weight: 0.1 }),
  row("DEL", [oneKey], { weight: 0.1 }),
], {
  smallLimits: true,
  // Commands that read for a consumer make it in more cases since 7.2.
  ignoredEvents: ["xgroup-createconsumer", "xgroup-delconsumer"],
});
