/**
 * The checkers of `tests/tidy_test.ts`. Each takes files that were taken apart
 * and answers with one line per violation: where, what, what instead. None
 * reads the disk, so each can be shown a planted violation.
 *
 * @module
 */
import {
  type Area,
  BANS,
  COMMENT_BANS,
  ENTRIES,
  ERROR_PREFIXES,
  LINES_MAX,
  PACKAGES,
  RINGS,
  STRANGERS,
} from "./rings.ts";
import { lineOf, type Source } from "./source.ts";

/** Where a file belongs. */
export function areaOf(path: string): Area {
  if (path === "mod.ts") return "api";
  const [top, ring] = path.split("/");
  if (top !== "src") return "outside";
  return ring as Area;
}

/**
 * The file that a specifier means, or null for a package. `@std` is linked to
 * the stand-ins under `src/std` by deno.json.
 */
export function resolveImport(path: string, specifier: string): string | null {
  if (specifier.startsWith("@std/")) {
    return `src/std/${specifier.slice(5)}/mod.ts`;
  }
  if (!/^\.{0,2}\//.test(specifier)) return null;
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

/** Imports point inward; see `rings.ts` for the rest of the rule. */
export function checkRings(files: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const file of files) {
    const area = areaOf(file.path);
    if (!Object.hasOwn(PACKAGES, area)) {
      problems.push(`${file.path}: src has no ring of this name`);
      continue;
    }
    for (const { at, text: specifier } of file.imports) {
      const why = forbidsImport(file.path, area, specifier);
      if (why !== null) {
        problems.push(`${place(file, at)}: ${specifier}: ${why}`);
      }
    }
  }
  return problems;
}

function forbidsImport(
  path: string,
  area: Area,
  specifier: string,
): string | null {
  const target = resolveImport(path, specifier);
  if (target === null || specifier.startsWith("@std/")) {
    return PACKAGES[area].some((allowed) => specifier.startsWith(allowed))
      ? null
      : `${area} may not import this package`;
  }
  const targetArea = areaOf(target);
  if (targetArea === "std" && area !== "std") {
    return "import it by its name, through the import map";
  }
  if (area === "outside") return null;
  if (targetArea === "outside") return "tests and benches are not for src";
  if (targetArea === "api") return "mod.ts is for users";
  if (targetArea === "std") return null;
  if (isPrivate(target) && folderOf(target) !== folderOf(path)) {
    return "a file with an underscore is for its siblings";
  }
  if (area === "api") return null;
  for (const [one, other] of STRANGERS) {
    if (
      path.startsWith(one) && target.startsWith(other) ||
      path.startsWith(other) && target.startsWith(one)
    ) return `${one} and ${other} may not know each other`;
  }
  return RINGS.indexOf(targetArea) > RINGS.indexOf(area)
    ? `${area} may not import ${targetArea}`
    : null;
}

/** Calls that a ring may not make. */
export function checkCalls(files: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const file of files) {
    const area = areaOf(file.path);
    for (const ban of BANS) {
      if (!ban.areas.includes(area)) continue;
      for (
        const { index } of file.code.matchAll(new RegExp(ban.pattern, "g"))
      ) {
        problems.push(`${place(file, index)}: ${ban.name}: ${ban.instead}`);
      }
    }
  }
  return problems;
}

/** Comments that must not stay. */
export function checkComments(files: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const file of files) {
    for (const { at, text } of file.comments) {
      for (const ban of COMMENT_BANS) {
        const index = text.search(ban.pattern);
        if (index < 0) continue;
        problems.push(
          `${place(file, at + index)}: ${ban.name}: ${ban.instead}`,
        );
      }
    }
  }
  return problems;
}

/** Every file of the product says what it is, first of all. */
export function checkHeaders(files: readonly Source[]): string[] {
  return files
    .filter((file) => !/^\s*@module\b|\*\s*@module\b/m.test(headerOf(file)))
    .map((file) =>
      `${file.path}: begin with a doc comment that ends in @module`
    );
}

/** Long files say why they are long. */
export function checkSizes(files: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const file of files) {
    const lines = lineOf(file.text, file.text.length);
    if (lines <= LINES_MAX || /\bSize: \S/.test(headerOf(file))) continue;
    problems.push(
      `${file.path}: ${lines} lines: split it by subject, or give the ` +
        `reason in its header: Size: ...`,
    );
  }
  return problems;
}

/**
 * Every file of the product is used by the product. What only tests or benches
 * import does not count as used, but for the packages under `src/std`.
 */
export function checkUnused(files: readonly Source[]): string[] {
  const used = new Set<string>(ENTRIES);
  for (const file of files) {
    for (const { text: specifier } of file.imports) {
      const target = resolveImport(file.path, specifier);
      if (target === null || target === file.path) continue;
      if (areaOf(file.path) === "outside" && areaOf(target) !== "std") continue;
      used.add(target);
    }
  }
  return files
    .filter((file) => areaOf(file.path) !== "outside" && !used.has(file.path))
    .map((file) => `${file.path}: nothing imports it`);
}

/**
 * An argument that suits every function of the error catalogue: bytes of a
 * client, a name, a number or a list.
 */
const ANY_ARGUMENT = Object.assign(Uint8Array.of(0x78), {
  toUpperCase: () => "X",
});

/** Every error of the catalogue begins with a prefix that clients know. */
export function checkErrors(
  catalogue: Readonly<Record<string, unknown>>,
): string[] {
  const problems: string[] = [];
  for (const [name, exported] of Object.entries(catalogue)) {
    if (name === "ErrorReply" || name === "errorReply") continue;
    const reply = typeof exported === "function"
      ? Reflect.apply(exported, undefined, new Array(8).fill(ANY_ARGUMENT))
      : exported;
    const text: unknown = reply?.text;
    if (typeof text !== "string") {
      problems.push(`${name}: not an error reply`);
    } else if (!ERROR_PREFIXES.has(text.split(" ")[0]!)) {
      problems.push(`${name}: unknown prefix: ${text}`);
    }
  }
  return problems;
}

function place(file: Source, at: number): string {
  return `${file.path}:${lineOf(file.text, at)}`;
}

/** The doc comment that a file begins with, or nothing. */
function headerOf(file: Source): string {
  const first = file.comments[0];
  if (first === undefined || !first.text.startsWith("/**")) return "";
  return file.code.slice(0, first.at).trim() === "" ? first.text : "";
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

function isPrivate(path: string): boolean {
  return path.slice(path.lastIndexOf("/") + 1).startsWith("_");
}
