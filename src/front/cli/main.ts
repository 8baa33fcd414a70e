/**
 * The program: reads flags and configuration, starts a server, and ends with
 * it.
 *
 * Exit codes: 0 after an orderly stop, 1 when the configuration or an address
 * cannot be used, 70 when an invariant of the server does not hold.
 *
 * @module
 */

import {
  describeDirectiveError,
  type Directive,
  parseConfig,
} from "../../core/settings/config_file.ts";
import { Settings } from "../../core/settings/settings.ts";
import { StartError } from "../server/log_thread_handle.ts";
import { systemReason } from "../server/host_facts.ts";
import { type Server, startServer } from "../server/server.ts";
import { REDIS_VERSION, SHERD_VERSION } from "../server/version.ts";
import { CHECK_AOF_USAGE, checkAof } from "./data/check_aof.ts";
import { CHECK_RDB_USAGE, checkRdb } from "./data/check_rdb.ts";
import { EXPORT_USAGE, exportData } from "./data/export.ts";
import { IMPORT_USAGE, importData } from "./data/import.ts";
import { parseFlags, type RunCommandLine } from "./flags.ts";
import { helpText, versionText } from "./help.ts";
import { Log } from "./log.ts";

const EXIT_CONFIGURATION = 1;
const EXIT_BUG = 70;

/**
 * What the program does unless it is told otherwise, and a server within another
 * program does not.
 */
const PROGRAM_DEFAULTS: readonly Directive[] = ["appendonly", "warm-up"]
  .map((name) => ({
    name,
    words: ["yes"],
    origin: { line: 0, text: `${name} yes` },
  }));

interface Tool {
  readonly usage: string;
  /** Returns the exit code. */
  run(words: readonly string[]): number | Promise<number>;
}

/** Tools by the word that asks for them. */
const TOOLS: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  ["check-aof", {
    usage: CHECK_AOF_USAGE,
    run: (words) => checkAof(words, print),
  }],
  ["check-rdb", { usage: CHECK_RDB_USAGE, run: checkRdb }],
  ["import", { usage: IMPORT_USAGE, run: importData }],
  ["export", { usage: EXPORT_USAGE, run: exportData }],
]);

async function main(argv: readonly string[]): Promise<void> {
  const tool = TOOLS.get(argv[0] ?? "");
  if (tool !== undefined) {
    const words = argv.slice(1);
    if (words.some((word) => word === "--help" || word === "-h")) {
      return print(`${tool.usage.trimEnd()}\n`);
    }
    Deno.exitCode = await tool.run(words);
    return;
  }
  const line = parseFlags(argv);
  switch (line.action) {
    case "help":
      return print(helpText());
    case "version":
      return print(
        versionText({
          sherd: SHERD_VERSION,
          redis: REDIS_VERSION,
          deno: Deno.version.deno,
          v8: Deno.version.v8,
        }),
      );
    case "error":
      return refuse(line.message);
    case "run":
      return await run(line);
  }
}

async function run(line: RunCommandLine): Promise<void> {
  const host = { cores: navigator.hardwareConcurrency, dir: Deno.cwd() };
  const settings = new Settings(host);
  const directives = [...PROGRAM_DEFAULTS, ...readDirectives(line)];
  const { error, ignored } = settings.load(directives);
  if (error !== undefined) {
    return refuse(describeDirectiveError(error, `sherd ${SHERD_VERSION}`));
  }
  const log = openLog(settings);
  if (log === null || !isFolder(settings.dir)) return;
  for (const { name } of ignored) {
    log.write("warning", `The directive '${name}' has no effect here`);
  }
  let server: Server;
  try {
    server = await startServer({
      settings,
      host,
      configFile: line.configFile ?? "",
      checks: Deno.env.get("SHERD_CHECKS") === "1",
      log: (level, text) => log.write(level, text),
      onBug: (cause) => {
        log.write("warning", `BUG: ${describe(cause)}`);
        Deno.exit(EXIT_BUG);
      },
    });
  } catch (cause) {
    return refuse(`Could not start: ${describe(cause)}`);
  }
  writePidFile(settings.pidfile, log);
  if (!server.wasShutDown) announce(log, settings, server);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      log.write("warning", `Received ${signal} scheduling shutdown...`);
      server.shutDown(false);
    });
  }
  // Who started the server and closes the terminal does not mean to stop it.
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGHUP", () => {});
  await server.finished;
  log.write("warning", "sherd is now ready to exit, bye bye...");
  removePidFile(settings.pidfile);
  Deno.exit(0);
}

/** The directives of file, standard input and flags; ends on an error. */
function readDirectives(line: RunCommandLine): Directive[] {
  const directives: Directive[] = [];
  const sources: [string, string][] = [];
  if (line.configFile !== undefined) {
    sources.push([line.configFile, readFile(line.configFile)]);
  }
  if (line.stdin) sources.push(["stdin", readStdin()]);
  for (const [file, content] of sources) {
    const parsed = parseConfig(content, file, (path) => readFile(path));
    if (parsed.error !== undefined) {
      refuse(describeDirectiveError(parsed.error, `sherd ${SHERD_VERSION}`));
      Deno.exit(EXIT_CONFIGURATION);
    }
    directives.push(...parsed.directives);
  }
  directives.push(...line.directives);
  return directives;
}

/** Byte text of a file; ends with the reason when it cannot be read. */
function readFile(path: string): string {
  try {
    return byteText(Deno.readFileSync(path));
  } catch (cause) {
    refuse(`Can't open config file '${path}': ${systemReason(cause)}`);
    Deno.exit(EXIT_CONFIGURATION);
  }
}

function readStdin(): string {
  const chunk = new Uint8Array(64 * 1024);
  let text = "";
  while (true) {
    const count = Deno.stdin.readSync(chunk);
    if (count === null) return text;
    text += byteText(chunk.subarray(0, count));
  }
}

function byteText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** The log, or null after an error. */
function openLog(settings: Settings): Log | null {
  try {
    return new Log(settings);
  } catch (cause) {
    refuse(`Can't open the log file: ${systemReason(cause)}`);
    return null;
  }
}

/** Whether the data's folder is there; says why not. */
function isFolder(path: string): boolean {
  try {
    if (Deno.statSync(path).isDirectory) return true;
    refuse(`Can't use the dir '${path}': Not a directory`);
  } catch (cause) {
    refuse(`Can't use the dir '${path}': ${systemReason(cause)}`);
  }
  return false;
}

function writePidFile(path: string, log: Log): void {
  if (path === "") return;
  try {
    Deno.writeTextFileSync(path, `${Deno.pid}\n`);
  } catch (cause) {
    log.write("warning", `Can't write the pidfile: ${systemReason(cause)}`);
  }
}

function removePidFile(path: string): void {
  if (path === "") return;
  try {
    Deno.removeSync(path);
  } catch {
    // It could not be written, or somebody was faster.
  }
}

function announce(log: Log, settings: Settings, server: Server): void {
  log.write(
    "notice",
    `sherd ${SHERD_VERSION} started: pid=${Deno.pid} ` +
      `workers=${settings.workers}`,
  );
  if (settings.unixsocket !== "") {
    log.write(
      "notice",
      `The server is now ready to accept connections at ${settings.unixsocket}`,
    );
  }
  if (server.port >= 0) {
    log.write(
      "notice",
      `Ready to accept connections tcp port=${server.port}`,
    );
  }
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

function refuse(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text.trimEnd()}\n`));
  Deno.exitCode = EXIT_CONFIGURATION;
}

function describe(cause: unknown): string {
  if (cause instanceof StartError) return cause.message;
  return cause instanceof Error ? cause.stack ?? cause.message : String(cause);
}

if (import.meta.main) await main(Deno.args);
