/**
 * Servers that are killed at random instants, again and again, on one directory
 * each: what was acknowledged must be there afterwards, as far as the policy
 * promises it, and what is there must be a beginning of what was done.
 *
 * SHERD_KILLS=n lets every server be killed n times.
 *
 * @module
 */
import { pause } from "../_patience.ts";
import { Random } from "../_random.ts";
import { History } from "./_history.ts";
import { bundled, Victim, withDirectory } from "./_victim.ts";

const POLICIES = ["always", "everysec", "no"] as const;
const WORKERS = [1, 3] as const;
/** Kills of one server; there are 12. */
const KILLS = Number(Deno.env.get("SHERD_KILLS") ?? 17);
/** What may be missing under everysec, where the machine is not in the way. */
const LOST_MS = 1000;
/** Of the delays that the test itself meets, so many times more. */
const DELAYS = 10;
const PROBE_MS = 10;
/** One in so many kills comes while the server starts. */
const STARTS = 5;
/** And one in so many later than what may be missing. */
const LATE = 8;

interface Scenario {
  readonly policy: typeof POLICIES[number];
  readonly workers: number;
  readonly rewrites: boolean;
}

const SCENARIOS: readonly Scenario[] = POLICIES.flatMap((policy) =>
  WORKERS.flatMap((workers) =>
    [false, true].map((rewrites) => ({ policy, workers, rewrites }))
  )
);

const stack = new DisposableStack();
let program = "";

Deno.test.beforeAll(() => {
  program = bundled(stack);
});
Deno.test.afterAll(() => stack.dispose());

/** Kills one server many times; says how many writes it has acknowledged. */
async function killAgainAndAgain(
  scenario: Scenario,
  directory: string,
  random: Random,
): Promise<number> {
  const { policy, rewrites } = scenario;
  let checked: { history: History; sinceMs: number } | null = null;
  let acknowledged = 0;
  const start = () => ({
    ...{ directory, program },
    // The number of workers may change from life to life.
    workers: random.chance(0.8) ? scenario.workers : random.between(1, 3),
    args: ["--appendfsync", policy, "--auto-aof-rewrite-min-size", "20kb"],
  });
  for (let life = 0; life <= KILLS; life++) {
    if (random.chance(1 / STARTS)) {
      const victim = new Victim(start());
      await pause(random.between(20, 250));
      await victim.kill();
    }
    const victim = await Victim.start(start());
    try {
      if (checked !== null) {
        using client = await victim.client();
        await checked.history.check(client, checked.sinceMs);
      }
      const delays = new Delays(directory);
      const history = new History(life, random);
      const loading = history.load(victim, rewrites);
      const longestMs = random.chance(1 / LATE) ? LOST_MS + 500 : 200;
      await pause(random.below(longestMs));
      if (life === KILLS) {
        history.end();
        await loading;
        await victim.stop();
      } else await victim.kill();
      const endMs = performance.now();
      await loading;
      acknowledged += history.acknowledged;
      const lostMs = LOST_MS + DELAYS * await delays.end();
      const mayLose = policy !== "always" && life < KILLS;
      checked = { history, sinceMs: mayLose ? endMs - lostMs : Infinity };
    } catch (cause) {
      throw new Error(victim.log.slice(-3000), { cause });
    } finally {
      await victim.kill();
    }
  }
  const victim = await Victim.start(start());
  try {
    using client = await victim.client();
    await checked!.history.check(client, checked!.sinceMs);
  } finally {
    await victim.stop();
  }
  return acknowledged;
}

/**
 * How late things are on this machine: the server's threads wait for the same
 * processors and the same disk.
 */
class Delays {
  #isOver = false;
  readonly #longest: Promise<number>;

  constructor(directory: string) {
    this.#longest = this.#probe(`${directory}/probe`);
  }

  /** The longest delay until now, in milliseconds. */
  end(): Promise<number> {
    this.#isOver = true;
    return this.#longest;
  }

  async #probe(path: string): Promise<number> {
    using file = Deno.openSync(path, { create: true, write: true });
    let longest = 0;
    while (!this.#isOver) {
      const startMs = performance.now();
      await pause(PROBE_MS);
      file.writeSync(new Uint8Array(1));
      await file.syncData();
      longest = Math.max(longest, performance.now() - startMs - PROBE_MS);
    }
    return longest;
  }
}

for (const policy of POLICIES) {
  Deno.test({
    name: `killed ${4 * KILLS} times with appendfsync ${policy}`,
    ignore: Deno.env.has("SHERD_TEST_COMMAND"),
    fn: async () => {
      const seed = Number(Deno.env.get("SHERD_SEED") ?? Date.now() % 1e6);
      const chosen = SCENARIOS.filter((scenario) => scenario.policy === policy);
      const counts = await Promise.all(
        chosen.map((scenario, i) =>
          withDirectory(async (directory) => {
            try {
              const random = new Random(seed + i);
              return await killAgainAndAgain(scenario, directory, random);
            } catch (cause) {
              const told = JSON.stringify(scenario);
              throw new Error(`SEED=${seed} ${told}`, { cause });
            }
          })
        ),
      );
      const all = counts.reduce((sum, count) => sum + count, 0);
      if (all === 0) throw new Error("Nothing was ever acknowledged");
    },
  });
}
