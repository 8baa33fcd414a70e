/**
 * Compares the rows of the command table with facts collected elsewhere: the
 * file `../shared/compat/command_facts.json` beside the repository, which has
 * them for each command under its name ("CLIENT ID").
 *
 * @module
 */
// deno-lint-ignore-file camelcase -- the facts' own field names
import { assertEquals } from "@std/assert";
import {
  type CommandSpec,
  type FindKeys,
  KEY_FLAG_NAMES,
  type KeySpec,
} from "../../../../src/core/commands/command_spec.ts";
import {
  type ArgumentSpec,
  parseSyntax,
} from "../../../../src/core/commands/command_syntax.ts";
import {
  categoryBit,
  type Command,
} from "../../../../src/core/commands/command_table.ts";
import { makeCommandTable } from "../../../../src/front/server/command_groups.ts";
import type { ServerCall } from "../../../../src/front/server/server_call.ts";

const TABLE = makeCommandTable();

interface ArgumentFacts {
  name: string;
  type: string;
  token?: string;
  optional?: boolean;
  multiple?: boolean;
  multiple_token?: boolean;
  key_spec_index?: number;
  since?: string;
  deprecated_since?: string;
  arguments?: ArgumentFacts[];
}

interface KeySpecFacts {
  flags: string[];
  begin_search: {
    index?: { pos: number };
    keyword?: { keyword: string; startfrom: number };
  };
  find_keys: {
    range?: { lastkey: number; step: number; limit: number };
    keynum?: { keynumidx: number; firstkey: number; step: number };
  };
}

interface CommandFacts {
  group: string;
  since: string;
  arity: number;
  complexity?: string;
  command_flags?: string[];
  acl_categories?: Parameters<typeof categoryBit>[0][];
  command_tips?: string[];
  key_specs?: KeySpecFacts[];
  arguments?: ArgumentFacts[];
  doc_flags?: string[];
  deprecated_since?: string;
}

/** Flags that say something about Sentinel, or about how settled a command is. */
const OTHER_FLAGS = new Set(["SENTINEL", "ONLY_SENTINEL", "EXPERIMENTAL"]);

const FACTS_PATH = new URL(
  "../../../../../shared/compat/command_facts.json",
  import.meta.url,
);

function readFacts(): Record<string, CommandFacts> | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(FACTS_PATH));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(
      `LEFT OUT: the command table's facts: no ${FACTS_PATH.pathname}\n`,
    ));
    return undefined;
  }
}

const FACTS = readFacts();

/** Each known command of the table with its facts. */
function* rows(): Generator<[Command<ServerCall>, CommandFacts]> {
  for (const command of TABLE.all) {
    const name = command.fullName.replace("|", " ").toUpperCase();
    const facts = FACTS![name];
    if (facts !== undefined) yield [command, facts];
  }
}

function compare(
  what: string,
  ofRow: (
    spec: CommandSpec<ServerCall>,
    command: Command<ServerCall>,
  ) => unknown,
  ofFacts: (facts: CommandFacts) => unknown,
): void {
  Deno.test({
    name: `command rows agree with the facts: ${what}`,
    ignore: FACTS === undefined,
    fn() {
      for (const [command, facts] of rows()) {
        const actual = ofRow(command.spec, command);
        assertEquals(actual, ofFacts(facts), command.fullName);
      }
    },
  });
}

compare(
  "group, version, arity, complexity",
  ({ since, arity, complexity }, { group }) => {
    return [group, since, arity, complexity];
  },
  ({ group, since, arity, complexity }) => {
    const general = complexity === "Depends on subcommand.";
    const shown = general ? undefined : complexity;
    return [group.replace("_", "-"), since, arity, shown];
  },
);

compare(
  "flags",
  (spec) => new Set(spec.flags),
  (facts) =>
    new Set(
      facts.command_flags?.filter((flag) => !OTHER_FLAGS.has(flag))
        .map((flag) => flag.toLowerCase()),
    ),
);

compare(
  "categories",
  (_, command) => command.categories,
  (facts) => {
    const flags = facts.command_flags ?? [];
    const names = (facts.acl_categories ?? [])
      .map((name) => name.toLowerCase() as typeof name);
    if (flags.includes("READONLY") && !names.includes("scripting")) {
      names.push("read");
    }
    if (flags.includes("WRITE")) names.push("write");
    if (flags.includes("ADMIN")) names.push("admin", "dangerous");
    if (flags.includes("PUBSUB")) names.push("pubsub");
    if (flags.includes("BLOCKING")) names.push("blocking");
    names.push(flags.includes("FAST") ? "fast" : "slow");
    return names.reduce((bits, name) => bits | categoryBit(name), 0);
  },
);

compare(
  "key specs",
  (spec) => (spec.keys ?? []).map(keySpecFacts),
  (facts) => (facts.key_specs ?? []).map(sortedKeySpec),
);

compare(
  "tips",
  (spec) => spec.tips ?? [],
  (facts) => (facts.command_tips ?? []).map((tip) => tip.toLowerCase()),
);

compare(
  "arguments",
  (spec) => spec.syntax && parseSyntax(spec.syntax).map(argumentFacts),
  (facts) => facts.arguments?.map(withoutCancel).map(fullArgument),
);

/** BGSAVE CANCEL is younger than what this server follows. */
function withoutCancel(argument: ArgumentFacts): ArgumentFacts {
  const [first, second] = argument.arguments ?? [];
  return second?.token === "CANCEL" ? { ...first!, optional: true } : argument;
}

compare(
  "deprecation",
  (spec) => [spec.docFlags, spec.deprecatedSince],
  (facts) => [
    facts.doc_flags?.map((flag) => flag.toLowerCase()),
    facts.deprecated_since,
  ],
);

function keySpecFacts(spec: KeySpec): unknown {
  const { begin } = spec;
  const flags = KEY_FLAG_NAMES.filter((_, i) => (spec.flags & (1 << i)) !== 0)
    .map((name) => name.toUpperCase()).sort();
  let search: unknown = {};
  if (begin.type === "index") search = { index: { pos: begin.index } };
  else if (begin.type === "keyword") {
    const { keyword, startFrom } = begin;
    search = { keyword: { keyword, startfrom: startFrom } };
  }
  return { flags, search, find: findKeysFacts(spec.find) };
}

function findKeysFacts(find: FindKeys): unknown {
  if (find.type === "unknown") return {};
  if (find.type === "range") {
    const { lastKey, step, limit } = find;
    return { range: { lastkey: lastKey, step, limit } };
  }
  const { keyNumIndex, firstKey, step } = find;
  return { keynum: { keynumidx: keyNumIndex, firstkey: firstKey, step } };
}

function sortedKeySpec(facts: KeySpecFacts): unknown {
  const { begin_search: search, find_keys: find } = facts;
  return {
    flags: [...facts.flags].sort(),
    search: "unknown" in search ? {} : search,
    find: "unknown" in find ? {} : find,
  };
}

/** An argument as the facts have it, with nothing left out. */
function argumentFacts(arg: ArgumentSpec): unknown {
  return {
    name: arg.name,
    type: arg.type,
    token: arg.token,
    optional: arg.optional,
    multiple: arg.multiple,
    multipleToken: arg.multipleToken,
    keySpecIndex: arg.keySpecIndex,
    since: arg.since,
    deprecatedSince: arg.deprecatedSince,
    arguments: arg.arguments?.map(argumentFacts),
  };
}

function fullArgument(facts: ArgumentFacts): unknown {
  return {
    name: facts.name.toLowerCase(),
    type: facts.type,
    token: facts.token,
    optional: Boolean(facts.optional),
    multiple: Boolean(facts.multiple),
    multipleToken: Boolean(facts.multiple_token),
    keySpecIndex: facts.key_spec_index,
    since: facts.since,
    deprecatedSince: facts.deprecated_since,
    arguments: facts.arguments?.map(fullArgument),
  };
}
