/**
 * `deno task test`: runs the tests, then the examples in doc comments, says
 * which tests a missing program left out, and ends in one line that sums up.
 *
 *     deno task test                       everything
 *     deno task test tests/tidy_test.ts    some files; any option of deno test
 *     deno task test --doc                 the examples only
 *
 * Tests write nowhere but to the folder for temporary files. Deno can not narrow
 * the network to the loopback interface and unix sockets of unforeseen paths.
 *
 * @module
 */
import { delimiter, join } from "node:path";
import { tmpdir } from "node:os";

const ROOT = new URL("../", import.meta.url);

const PERMISSIONS = [
  "--allow-net",
  `--allow-write=${tmpdir()}`,
  "--allow-read",
  "--allow-env",
  "--allow-run",
  "--allow-sys",
  "--allow-ffi",
];

/** Programs that some tests need, and what is left out without them. */
const OPTIONAL_PROGRAMS = [
  {
    name: "redis-server",
    leftOut: "comparisons with the reference server",
    install: "apt-get install redis-server",
  },
  {
    name: "redis-cli",
    leftOut: "sessions of the reference client",
    install: "apt-get install redis-tools",
  },
  {
    name: "redis-benchmark",
    leftOut: "the load of the reference benchmark",
    install: "apt-get install redis-tools",
  },
];

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed.*?\| (\d+) failed(?:.*?\| (\d+) ignored)?/gm;

/** Runs `deno test`, shows what it prints, and counts. */
async function runTests(args: readonly string[]): Promise<Counts> {
  const permissions = args.includes("-A") ? [] : PERMISSIONS;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-prompt", ...permissions, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const decoder = new TextDecoder();
  let output = "";
  for await (const bytes of child.stdout) {
    output += decoder.decode(bytes, { stream: true });
    await writeAll(bytes);
  }
  const { success } = await child.status;
  // A test may print the summary of a run of its own; the last one counts.
  const summary = [...output.matchAll(SUMMARY)].at(-1);
  const counts = {
    passed: Number(summary?.[1] ?? 0),
    failed: Number(summary?.[2] ?? 0),
    skipped: Number(summary?.[3] ?? 0),
  };
  // What does not compile fails without a count.
  if (!success && counts.failed === 0) counts.failed = 1;
  return counts;
}

async function writeAll(bytes: Uint8Array) {
  for (let at = 0; at < bytes.length;) {
    at += await Deno.stdout.write(bytes.subarray(at));
  }
}

function print(line: string) {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/**
 * The files of the product that hold an example. Only these, since a file is
 * executed for its examples to run, and not every one is meant to be.
 */
function filesWithExamples(): string[] {
  const files: string[] = [];
  const look = (path: string) => {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    if (/^\s*\* ```ts\b/m.test(text)) files.push(path);
  };
  const walk = (folder: string) => {
    for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) walk(path);
      else if (path.endsWith(".ts")) look(path);
    }
  };
  if (exists(new URL("mod.ts", ROOT))) look("mod.ts");
  walk("src");
  return files;
}

function exists(path: string | URL): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function isInstalled(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(delimiter)
    .some((folder) => exists(join(folder, program)));
}

/** What to hand to `deno test`, one list a run. */
function plan(args: readonly string[]): string[][] {
  const examples = filesWithExamples();
  const docRun = examples.length > 0 ? [["--doc", ...examples]] : [];
  if (args[0] === "--doc") return docRun;
  if (args.some((arg) => !arg.startsWith("-") && exists(arg))) {
    return [[...args]];
  }
  return args.length > 0 ? [[...args, "tests"]] : [["tests"], ...docRun];
}

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const args of plan(Deno.args)) {
  const counts = await runTests(args);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
for (const { name, leftOut, install } of OPTIONAL_PROGRAMS) {
  if (!isInstalled(name)) print(`no ${name}: left out ${leftOut} (${install})`);
}
print(
  `${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`,
);
Deno.exit(total.failed > 0 ? 1 : 0);
