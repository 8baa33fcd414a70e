/**
 * Differential tests: the same random scripts go to redis-server and to sherd,
 * on one worker and on four, in RESP2 and RESP3, and the replies are compared
 * byte by byte. All differences of a family are reported together, one of each
 * kind, each with its seed and the shortest script found.
 *
 * SHERD_FUZZ_ROUNDS: scripts per test. SHERD_SEED: only the script of that
 * seed. The reference is Redis 7.0; where 7.2 differs, tables avoid the case:
 * CLIENT SETINFO, CLIENT NO-TOUCH and the fields lib-name, lib-ver of CLIENT
 * LIST are new there, and the texts of HELP have more lines.
 *
 * @module
 */
import {
  Random,
  seedsToRun,
  sharedServers,
  startServer,
  type TestServer,
} from "../_harness.ts";
import {
  hasRedisServer,
  type RedisServer,
  startRedisServer,
} from "../_redis_server.ts";
import { RecordingRedis } from "./_effects.ts";
import { generateScript, type Row, type Step } from "./_generate.ts";
import { drawLimits, type ScriptLimits } from "./_limits.ts";
import { runEffects } from "./_run_effects.ts";
import { runEvents } from "./_run_events.ts";
import { type Mismatch, runScript, showStep } from "./_run_script.ts";
import { runSnapshot } from "./_run_snapshot.ts";
import { shrink } from "./_shrink.ts";

const ROUNDS = Number(Deno.env.get("SHERD_FUZZ_ROUNDS") ?? "100");
/** Scripts whose data are taken through snapshots. */
const SNAPSHOT_ROUNDS = Math.ceil(ROUNDS / 5);
const SCRIPT_LENGTH = 60;
const REPORTS_MAX = 12;
const WORKERS = [1, 4];

/** What a family asks for beside its rows. */
export interface FamilyOptions {
  /** Draws the limits of packed values anew for each script, mostly small. */
  smallLimits?: boolean;
  /** Numbers of workers to run on. */
  workers?: readonly number[];
  /** Classes of events that are compared, all if not given. */
  eventClasses?: string;
  /** Names of events that are not compared. */
  ignoredEvents?: readonly string[];
  /** Whether the commands change nothing that would be recorded. */
  hasNoEffects?: boolean;
  /** Options of the servers that are compared. */
  args?: readonly string[];
}

/** Registers the tests of one family of commands. */
export function differentialFamily(
  family: string,
  rows: readonly Row[],
  options: FamilyOptions = {},
): void {
  const ignore = !hasRedisServer(`differential tests, ${family}`);
  let reference: RedisServer;
  const subjects = new Map<number, TestServer>();
  if (!ignore) {
    sharedServers(async (stack) => {
      reference = stack.use(await startRedisServer());
      for (const workers of options.workers ?? WORKERS) {
        const args = options.args ?? [];
        subjects.set(workers, stack.use(await startServer({ workers, args })));
      }
    });
  }
  if (options.hasNoEffects !== true) {
    Deno.test({
      name: `${family}: records as redis-server's append-only file`,
      ignore,
      fn: async () => {
        await using recording = await RecordingRedis.start();
        await runRounds(
          rows,
          (script, limits) => runEffects(script, recording, limits),
          options.smallLimits === true,
        );
      },
    });
  }
  if (options.hasNoEffects !== true) {
    Deno.test({
      name: `${family}: snapshots, to redis-server and back`,
      ignore,
      fn: () => runSnapshots(rows, reference, options.smallLimits === true),
    });
  }
  for (const workers of options.workers ?? WORKERS) {
    Deno.test({
      name: `${family}: events as redis-server's (workers ${workers})`,
      ignore,
      fn: () =>
        runRounds(
          rows,
          (script, limits) =>
            runEvents(script, {
              reference,
              subject: subjects.get(workers)!,
              classes: options.eventClasses ?? "AKEmn",
              ignored: options.ignoredEvents ?? [],
              limits,
            }),
          options.smallLimits === true,
        ),
    });
    for (const resp of [2, 3] as const) {
      Deno.test({
        name: `${family}: replies as redis-server's ` +
          `(workers ${workers}, RESP${resp})`,
        ignore,
        fn: async () => {
          const subject = subjects.get(workers)!;
          try {
            await runRounds(
              rows,
              (script, limits) =>
                runScript(script, resp, reference, subject, limits),
              options.smallLimits === true,
            );
          } catch (error) {
            if (subject.status === null) throw error;
            const cause = { cause: error };
            throw new Error(`Server has ended: ${subject.stderr}`, cause);
          }
        },
      });
    }
  }
}

async function runSnapshots(
  rows: readonly Row[],
  reference: RedisServer,
  hasSmallLimits: boolean,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "sherd_dump_" });
  try {
    await using subject = await startServer({
      workers: 3,
      args: ["--dir", folder],
    });
    await runRounds(
      rows,
      (script, limits) =>
        runSnapshot(script, { reference, subject, folder, limits }),
      hasSmallLimits,
      SNAPSHOT_ROUNDS,
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

type Run = (
  script: readonly Step[],
  limits: ScriptLimits | undefined,
) => Promise<Mismatch | null>;

async function runRounds(
  rows: readonly Row[],
  run: Run,
  hasSmallLimits: boolean,
  rounds = ROUNDS,
): Promise<void> {
  const reports = new Map<string, string>();
  const seeds = seedsToRun(rounds);
  let differing = 0;
  for (const seed of seeds) {
    const script = generateScript(rows, new Random(seed), SCRIPT_LENGTH);
    const limits = hasSmallLimits ? drawLimits(new Random(-seed)) : undefined;
    const mismatch = await run(script, limits);
    if (mismatch === null) continue;
    differing++;
    const kind = kindOf(script, mismatch);
    if (reports.has(kind) || reports.size >= REPORTS_MAX) continue;
    reports.set(kind, await report(seed, script, mismatch, run, limits));
  }
  if (differing === 0) return;
  throw new Error(
    `${differing} of ${seeds.length} scripts got other replies; ` +
      `${reports.size} kinds:\n\n${[...reports.values()].join("\n\n")}`,
  );
}

/** Mismatches of one kind are reported once. */
function kindOf(script: readonly Step[], mismatch: Mismatch): string {
  const name = script[mismatch.index]?.argv[0]?.toUpperCase() ?? "end";
  const start = (text: string) => text.slice(0, 14).replace(/\d+/g, "0");
  return [name, start(mismatch.expected), start(mismatch.actual)].join("\n");
}

async function report(
  seed: number,
  script: readonly Step[],
  found: Mismatch,
  run: Run,
  limits: ScriptLimits | undefined,
): Promise<string> {
  const kind = kindOf(script, found);
  const shortest = await shrink(
    script.slice(0, found.index + 1),
    async (part) => {
      const mismatch = await run(part, limits);
      return mismatch !== null && kindOf(part, mismatch) === kind;
    },
  );
  const again = await run(shortest, limits);
  const last = again ?? found;
  const lines = shortest.map((step, i) =>
    `  ${again?.index === i ? ">" : " "} ${showStep(step)}`
  );
  return [
    `SEED=${seed}, ${shortest.length} of ${script.length} commands` +
    (again === null ? ", not the same when run again" : ""),
    ...limits === undefined
      ? []
      : [`    CONFIG SET ${limits.subject.join(" ")}`],
    ...lines,
    `  redis: ${last.expected}`,
    `  sherd: ${last.actual}`,
  ].join("\n");
}
