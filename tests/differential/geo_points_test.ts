/**
 * Thousands of places at random, the same for redis-server and for sherd: what
 * is stored of them, their distances, and what searches find must agree to the
 * last digit.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type Random, seeded, startServer } from "../_harness.ts";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { type Argument, type TestClient, toBinary } from "../_resp_client.ts";

const ignore = !hasRedisServer("places compared with redis-server's");
const PLACES = 4000;
const COMPARISONS = 3000;
const SEARCHES = 400;

/** Near a few centres, or anywhere. */
function coordinates(random: Random, i: number): [number, number] {
  const reach = [1, 0.1, 0.001][i % 3]!;
  const [longitude, latitude] = i % 3 === 0 ? [0, 0] : [
    [-120, 40],
    [0, 0],
    [179, 80],
    [15, -84],
  ][i % 4]!;
  return [
    within(longitude! + between(random, 180 * reach), 180),
    within(latitude! + between(random, 85.05 * reach), 85.05112878),
  ];
}

function between(random: Random, max: number): number {
  return (random.uint32() / 2 ** 32 * 2 - 1) * max;
}

function within(degrees: number, max: number): number {
  return Math.min(Math.max(degrees, -max), max);
}

function member(random: Random): string {
  return `m${random.below(PLACES)}`;
}

function comparison(random: Random): Argument[] {
  const unit = random.pick(["m", "km", "ft", "mi"]);
  return random.pick([
    ["GEODIST", "geo", member(random), member(random), unit],
    ["GEOPOS", "geo", member(random), member(random)],
    ["GEOHASH", "geo", member(random), member(random)],
  ]);
}

function search(random: Random, i: number): Argument[] {
  const reach = 2 ** between(random, 12);
  const unit = random.pick(["km", "mi"]);
  const argv: Argument[] = ["GEOSEARCH", "geo"];
  if (random.chance(0.5)) argv.push("FROMMEMBER", member(random));
  else argv.push("FROMLONLAT", ...coordinates(random, i));
  if (random.chance(0.5)) argv.push("BYRADIUS", reach, unit);
  else argv.push("BYBOX", reach * 2, reach, unit);
  if (random.chance(0.5)) argv.push(random.pick(["ASC", "DESC"]));
  if (random.chance(0.5)) argv.push("COUNT", random.between(1, 50));
  if (argv.includes("COUNT") && random.chance(0.3)) argv.push("ANY");
  for (const option of ["WITHDIST", "WITHHASH", "WITHCOORD"]) {
    if (random.chance(0.3)) argv.push(option);
  }
  return argv;
}

async function compare(
  clients: readonly [TestClient, TestClient],
  commands: readonly Argument[][],
): Promise<void> {
  const [expected, actual] = await Promise.all(
    clients.map((client) => client.pipelineFrames(commands)),
  );
  for (const [i, { raw }] of expected!.entries()) {
    assertEquals(toBinary(actual![i]!.raw), toBinary(raw), `${commands[i]}`);
  }
}

seeded("places and searches agree with redis-server's", async (random) => {
  await using reference = await startRedisServer();
  await using subject = await startServer({ workers: 1 });
  for (const resp of [2, 3] as const) {
    using expected = await reference.client({ resp });
    using actual = await subject.client({ resp });
    const clients = [expected, actual] as const;
    const places = Array.from({ length: PLACES }, (_, i): Argument[] => [
      ...["GEOADD", "geo", ...coordinates(random, i), `m${i}`],
    ]);
    await compare(clients, places);
    await compare(
      clients,
      Array.from({ length: COMPARISONS }, () => comparison(random)),
    );
    await compare(
      clients,
      Array.from({ length: SEARCHES }, (_, i) => search(random, i)),
    );
  }
}, { count: 2, ignore });
