/**
 * `deno task compile`: makes the executable.
 *
 * Program and threads are bundled first, each into one file without comments: a
 * worker that loads one file instead of a hundred starts in half the time, and
 * every worker holds the text of what it loads. The threads' files keep the names
 * by which the program looks for them, beside its own.
 *
 *     deno run -A src/front/cli/compile.ts [OUTPUT]
 *
 * @module
 */

const ROOT = new URL("../../../", import.meta.url);
const DEFAULT_OUTPUT = "sherd";
const USAGE = "Usage: deno task compile [OUTPUT]\n";
/** Entries, which the bundles replace name by name. */
const ENTRIES = [
  "src/front/cli/main.ts",
  "src/front/server/worker.ts",
  "src/front/server/log_thread.ts",
];

/** What `deno compile` bakes in: permissions and unstable features. */
const BAKED = [
  "--no-prompt",
  "--allow-all",
  "--unstable-net",
  "--unstable-worker-options",
  v8Flags(),
];

/**
 * How V8 is to compile, as in `deno task start`: functions of the fast path are
 * put into each other more freely than V8 does by itself, which takes up to a
 * fifth off a command; and all is compiled when a thread starts, not in a hold.
 */
function v8Flags(): string {
  const text = Deno.readTextFileSync(new URL("deno.json", ROOT));
  const flags = /--v8-flags=[^ ]+/.exec(JSON.parse(text).tasks.start);
  if (flags === null) throw new Error("deno task start has no flags for V8");
  return flags[0];
}

function deno(args: readonly string[], cwd: string | URL): void {
  const { success } = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).outputSync();
  if (!success) {
    throw new Error(`Cannot make the executable: deno ${args[0]} failed`);
  }
}

/** Bundles program and threads into a folder; returns their names there. */
export function bundle(folder: string): string[] {
  return ENTRIES.map((entry) => {
    const name = entry.split("/").at(-1)!;
    deno(
      ["bundle", "--quiet", "--minify", "--keep-names"]
        .concat(["--output", `${folder}/${name}`, entry]),
      ROOT,
    );
    return name;
  });
}

/**
 * Makes the executable, at an absolute path. Throws an error if it cannot, with
 * the reason on the standard error; that may be that `deno compile` could not
 * download its runtime.
 */
export function compile(output: string): void {
  const folder = Deno.makeTempDirSync({ prefix: "sherd_bundle_" });
  try {
    const [program, ...threads] = bundle(folder);
    deno(
      ["compile", "--no-config", "--no-check", ...BAKED]
        .concat(threads.flatMap((name) => ["--include", name]))
        .concat(["--output", output, program!]),
      folder,
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}

/**
 * The path that arguments ask for, or the text that a person gets instead: how to
 * call it, with a reason if that is not what was asked for.
 */
export function outputOf(
  argv: readonly string[],
): { output: string } | { usage: string; isError: boolean } {
  const [first] = argv;
  if (first === "--help" || first === "-h") {
    return { usage: USAGE, isError: false };
  }
  const option = argv.find((arg) => arg.startsWith("-"));
  if (option !== undefined) {
    return { usage: `Unknown option: ${option}\n${USAGE}`, isError: true };
  }
  if (argv.length > 1) return { usage: USAGE, isError: true };
  return { output: absolute(first ?? DEFAULT_OUTPUT) };
}

if (import.meta.main) {
  const asked = outputOf(Deno.args);
  if ("output" in asked) compile(asked.output);
  else {
    const stream = asked.isError ? Deno.stderr : Deno.stdout;
    stream.writeSync(new TextEncoder().encode(asked.usage));
    if (asked.isError) Deno.exit(1);
  }
}
