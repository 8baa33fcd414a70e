/**
 * Reads TypeScript just well enough to tell code from text: a tokenizer that
 * knows comments, strings, templates and regular expressions, and blanks them
 * so that a search finds only code. What is blanked keeps its length and its
 * lines, so an offset means the same place in `text` and in `code`.
 *
 * A slash begins a regular expression unless the token before it ends an
 * operand. That is wrong only after the `)` of an `if` and after a block's
 * `}`, where nobody begins a statement with a regular expression.
 *
 * @module
 */

/** A piece of a file. */
export interface Span {
  /** Offset of its first character. */
  at: number;
  text: string;
}

/** One file, taken apart. */
export interface Source {
  /** Relative to the root, with slashes: `src/core/base/crc16.ts`. */
  path: string;
  text: string;
  /** `text` with comments and the insides of literals made blank. */
  code: string;
  comments: Span[];
  /** Insides of strings, and of templates up to their first `${`. */
  strings: Span[];
  /** The specifiers of `import`, `export from` and `import()`. */
  imports: Span[];
}

const COMMENT = /\/\/[^\n]*|\/\*[^]*?\*\//y;
const STRING = /"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'/y;
const TEMPLATE_PART = /(?:\\[^]|\$(?!\{)|[^`\\$])*(?:`|\$\{)/y;
const REGEXP = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
const WORD = /[\w$]+/y;
const SPACE = /\s+/y;
const IMPORT = /\bfrom\s*(["'])( *)\1|\bimport\s*\(?\s*(["'])( *)\3/g;
/** Words after which an expression begins. */
const BEFORE_OPERAND =
  /^(?:return|typeof|case|in|of|delete|void|throw|new|instanceof|do|else|yield|await)$/;

/** Takes a file apart. */
export function parseSource(path: string, text: string): Source {
  const { code, comments, strings } = strip(text);
  const imports: Span[] = [];
  for (const found of code.matchAll(IMPORT)) {
    const length = (found[2] ?? found[4])!.length;
    const at = found.index + found[0].length - length - 1;
    imports.push({ at, text: text.slice(at, at + length) });
  }
  return { path, text, code, comments, strings, imports };
}

/** The line, from 1, of an offset. */
export function lineOf(text: string, at: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < at; line++) {
    i = text.indexOf("\n", i + 1);
  }
  return line;
}

function strip(text: string): Pick<Source, "code" | "comments" | "strings"> {
  const comments: Span[] = [];
  const strings: Span[] = [];
  /** For every open `${`: how many `{` are open within. */
  const templates: number[] = [];
  let code = "";
  let at = 0;
  let operand = false;

  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  /** Blanks a literal but for `edge` characters at both of its ends. */
  const blank = (token: string, edge: number) => {
    const inside = token.slice(edge, token.length - edge);
    code += token.slice(0, edge) + inside.replace(/[^\n]/g, " ") +
      token.slice(token.length - edge);
    at += token.length;
  };
  /** The text of a template up to its end or to the next `${`. */
  const templatePart = () => {
    const part = match(TEMPLATE_PART) ?? text.slice(at);
    blank(part, 0);
    if (part.endsWith("${")) templates.push(0);
    operand = !part.endsWith("${");
  };

  while (at < text.length) {
    const char = text[at]!;
    let token: string | undefined;
    if ((token = match(SPACE)) !== undefined) {
      code += token;
      at += token.length;
    } else if (char === "/" && (token = match(COMMENT)) !== undefined) {
      comments.push({ at, text: token });
      blank(token, 0);
    } else if (
      (char === '"' || char === "'") && (token = match(STRING)) !== undefined
    ) {
      strings.push({ at: at + 1, text: token.slice(1, -1) });
      blank(token, 1);
      operand = true;
    } else if (char === "`") {
      blank(char, 0);
      const from = at;
      templatePart();
      strings.push({
        at: from,
        text: text.slice(from, at).replace(/`$|\$\{$/, ""),
      });
    } else if (char === "}" && templates.at(-1) === 0) {
      templates.pop();
      blank(char, 0);
      templatePart();
    } else if (
      char === "/" && !operand && (token = match(REGEXP)) !== undefined
    ) {
      blank(token, 0);
      operand = true;
    } else if ((token = match(WORD)) !== undefined) {
      code += token;
      at += token.length;
      operand = !BEFORE_OPERAND.test(token);
    } else {
      if (char === "{" && templates.length > 0) {
        templates.push(templates.pop()! + 1);
      }
      if (char === "}" && templates.length > 0) {
        templates.push(templates.pop()! - 1);
      }
      code += char;
      at++;
      operand = char === ")" || char === "]" || char === "}";
    }
  }
  return { code, comments, strings };
}
