/**
 * The limits of packed values, drawn small for most scripts so that values cross
 * them within a few commands. Both servers get the same.
 *
 * @module
 */
import type { Random } from "../_random.ts";

interface Limit {
  name: string;
  usual: string;
  /** Small limits to choose from. */
  small: readonly string[];
  /** The reference does not know the name. */
  isNewer?: boolean;
}

const LIMITS: readonly Limit[] = [
  {
    name: "hash-max-listpack-entries",
    usual: "512",
    small: ["0", "1", "2", "4", "8"],
  },
  { name: "hash-max-listpack-value", usual: "64", small: ["4", "12", "64"] },
  {
    name: "list-max-listpack-size",
    usual: "-2",
    small: ["1", "2", "3", "5", "-1"],
  },
  {
    name: "set-max-intset-entries",
    usual: "512",
    small: ["0", "1", "2", "4", "6"],
  },
  {
    name: "set-max-listpack-entries",
    usual: "128",
    small: ["0", "1", "2", "4", "8"],
    isNewer: true,
  },
  {
    name: "set-max-listpack-value",
    usual: "64",
    small: ["4", "12", "64"],
    isNewer: true,
  },
  {
    name: "zset-max-listpack-entries",
    usual: "128",
    small: ["0", "1", "2", "4", "8"],
  },
  { name: "zset-max-listpack-value", usual: "64", small: ["4", "12", "64"] },
  {
    name: "stream-node-max-entries",
    usual: "100",
    small: ["1", "2", "3", "5"],
  },
  { name: "stream-node-max-bytes", usual: "4096", small: ["64", "200"] },
  {
    name: "hll-sparse-max-bytes",
    usual: "3000",
    small: ["0", "20", "100"],
  },
];

/** Another program under test may be as old as the reference. */
const isForeign = Deno.env.get("SHERD_TEST_COMMAND") !== undefined;

/** Settings that a script begins with, as arguments of CONFIG SET. */
export interface ScriptLimits {
  /** For the reference. */
  reference: readonly string[];
  /** For the server under test. */
  subject: readonly string[];
}

const USUAL_LIMITS = settings((limit) => limit.usual);

/** Limits for one script: in one of four the usual ones, else small ones. */
export function drawLimits(random: Random): ScriptLimits {
  if (random.chance(0.25)) return USUAL_LIMITS;
  return settings(({ small, usual }) =>
    random.chance(0.85) ? random.pick(small) : usual
  );
}

function settings(choose: (limit: Limit) => string): ScriptLimits {
  const reference: string[] = [];
  const subject: string[] = [];
  for (const limit of LIMITS) {
    const pair = [limit.name, choose(limit)];
    if (limit.isNewer !== true) reference.push(...pair);
    if (limit.isNewer !== true || !isForeign) subject.push(...pair);
  }
  return { reference, subject };
}
