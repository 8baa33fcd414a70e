/**
 * The notation of a command's arguments, and the argument tree of COMMAND DOCS
 * that it stands for.
 *
 * A row of the command table says what its arguments are in one line that reads
 * like the syntax in a manual:
 *
 * ```text
 * key value [condition:(NX|XX)@2.6.12] [EX seconds:integer] [element...]
 * ```
 *
 * | written            | means                                               |
 * | ------------------ | --------------------------------------------------- |
 * | `member`           | a string; `key` and `pattern` are of their own type |
 * | `count:integer`    | an argument of another type                         |
 * | `EX seconds:integer` | the token EX, then the argument                   |
 * | `NX`               | a token by itself, an argument named `nx`           |
 * | `'km'`             | a token in lower case, with or without an argument  |
 * | `change=CH`        | a token by itself, under another name               |
 * | `data:(a b)`       | a block: arguments that belong together             |
 * | `order:(ASC\|DESC)` | one of several                                     |
 * | `[a]`              | optional                                            |
 * | `a...`             | once or more; the token, if any, only once          |
 * | `[GET a]...`       | never or more, each time with the token             |
 * | `addr{ip:port}`    | shown to people as `ip:port`                        |
 * | `source:key#1`     | described by key spec 1, not by the next in order   |
 * | `a@6.2.0` `a!7.0.0` | since, deprecated since                            |
 *
 * The suffixes follow a name, or the parentheses of a block, in the order of
 * the table: `{}`, `:type`, `#`, `@`, `!`, `...`. A token followed by a space
 * and a lower-case letter belongs to that argument; where it must not, it is
 * written `name=TOKEN`.
 *
 * Lines are parsed when COMMAND DOCS asks, so the tables cost nothing at start.
 *
 * @module
 */

/** The types of arguments, as COMMAND DOCS prints them. */
export type ArgumentType =
  | "string"
  | "integer"
  | "double"
  | "key"
  | "pattern"
  | "unix-time"
  | "pure-token"
  | "oneof"
  | "block";

/** One argument, or a group of arguments. */
export interface ArgumentSpec {
  name: string;
  type: ArgumentType;
  /** What people see; not in a oneof or a block. */
  displayText?: string;
  keySpecIndex?: number;
  token?: string;
  since?: string;
  deprecatedSince?: string;
  optional: boolean;
  multiple: boolean;
  multipleToken: boolean;
  /** The members of a oneof or a block. */
  arguments?: readonly ArgumentSpec[];
}

/** The argument tree of a syntax line; throws if the line is malformed. */
export function parseSyntax(text: string): readonly ArgumentSpec[] {
  return new SyntaxParser(text).parse();
}

const TYPES: ReadonlySet<string> = new Set<ArgumentType>([
  "string",
  "integer",
  "double",
  "key",
  "pattern",
  "unix-time",
  "pure-token",
]);

const TOKEN = /[A-Z][A-Z0-9_-]*/y;
const NAME = /[a-z][a-z0-9_/-]*/y;
const LITERAL = /[^\s\])|@!]+/y;
const NUMBER = /\d+/y;
const VERSION = /\d+\.\d+\.\d+/y;
const TEXT = /[^}']+/y;

/** Recursive descent over one line. */
class SyntaxParser {
  readonly #text: string;
  #at = 0;
  #nextKeySpec = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): readonly ArgumentSpec[] {
    const args = this.#sequence();
    if (this.#at < this.#text.length) this.#fail("end of line");
    return args;
  }

  #sequence(): ArgumentSpec[] {
    const args = [this.#argument()];
    while (this.#skip(" ")) args.push(this.#argument());
    return args;
  }

  #argument(): ArgumentSpec {
    if (!this.#skip("[")) return this.#plain();
    const arg = this.#plain();
    this.#expect("]");
    arg.optional = true;
    if (this.#skip("...")) arg.multiple = arg.multipleToken = true;
    return arg;
  }

  #plain(): ArgumentSpec {
    const token = this.#token();
    if (token === undefined) return this.#named(undefined);
    if (this.#isNameAfterSpace()) {
      this.#at++;
      return this.#named(token);
    }
    return this.#suffixes(pureToken(token.toLowerCase(), token));
  }

  #token(): string | undefined {
    if (!this.#skip("'")) return this.#matchIfAny(TOKEN);
    const token = this.#match(TEXT, "text");
    this.#expect("'");
    return token;
  }

  #named(token: string | undefined): ArgumentSpec {
    const name = this.#match(NAME, "a name");
    const type = name === "key" || name === "pattern" ? name : "string";
    const arg: ArgumentSpec = {
      name,
      type,
      displayText: name,
      optional: false,
      multiple: false,
      multipleToken: false,
    };
    if (token !== undefined) arg.token = token;
    if (this.#skip("{")) {
      arg.displayText = this.#match(TEXT, "text");
      this.#expect("}");
    }
    if (this.#skip("=")) {
      arg.type = "pure-token";
      arg.token = this.#match(LITERAL, "a token");
    } else if (this.#skip(":")) {
      if (this.#skip("(")) this.#members(arg);
      else {
        const type = this.#match(NAME, "a type");
        if (!TYPES.has(type)) this.#fail("a type");
        arg.type = type as ArgumentType;
      }
    }
    return this.#suffixes(arg);
  }

  #members(arg: ArgumentSpec): void {
    delete arg.displayText;
    const members = this.#sequence();
    arg.type = "block";
    while (this.#skip("|")) {
      arg.type = "oneof";
      members.push(this.#argument());
    }
    this.#expect(")");
    arg.arguments = members;
  }

  #suffixes(arg: ArgumentSpec): ArgumentSpec {
    if (this.#skip("#")) {
      arg.keySpecIndex = Number(this.#match(NUMBER, "a number"));
      if (arg.type === "key") this.#nextKeySpec = arg.keySpecIndex + 1;
    } else if (arg.type === "key") arg.keySpecIndex = this.#nextKeySpec++;
    if (this.#skip("@")) arg.since = this.#match(VERSION, "a version");
    if (this.#skip("!")) {
      arg.deprecatedSince = this.#match(VERSION, "a version");
    }
    if (this.#skip("...")) arg.multiple = true;
    return arg;
  }

  #isNameAfterSpace(): boolean {
    const next = this.#text.charCodeAt(this.#at + 1);
    return this.#text[this.#at] === " " && next >= 97 && next <= 122;
  }

  #skip(literal: string): boolean {
    if (!this.#text.startsWith(literal, this.#at)) return false;
    this.#at += literal.length;
    return true;
  }

  #expect(literal: string): void {
    if (!this.#skip(literal)) this.#fail(`"${literal}"`);
  }

  #matchIfAny(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #match(pattern: RegExp, what: string): string {
    return this.#matchIfAny(pattern) ?? this.#fail(what);
  }

  #fail(wanted: string): never {
    throw new Error(
      `Cannot parse the syntax "${this.#text}" at ${this.#at}: wanted ${wanted}`,
    );
  }
}

function pureToken(name: string, token: string): ArgumentSpec {
  return {
    name,
    type: "pure-token",
    displayText: name,
    token,
    optional: false,
    multiple: false,
    multipleToken: false,
  };
}
