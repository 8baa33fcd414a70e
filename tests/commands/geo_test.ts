import { tagsOnDistinctSlots } from "../_harness.ts";
import type { Plain } from "../_resp_client.ts";
import { expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const WRONG_TYPE =
  "-WRONGTYPE Operation against a key holding the wrong kind of value";
const SYNTAX = "-ERR syntax error";

/** Names of keys on three shards. */
const TAGS = tagsOnDistinctSlots(3);

const SICILY =
  "GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania";

/** Coordinates: doubles in RESP3, texts in RESP2. */
function place(resp: 2 | 3, longitude: string, latitude: string): Plain {
  return resp === 3
    ? [Number(longitude), Number(latitude)]
    : [longitude, latitude];
}

commandSuite("GEOADD adds and moves places", async ({ client }) => {
  await expectReplies(client, [
    [SICILY, 2],
    ["GEOADD Sicily NX 1 1 Palermo 2 2 new", 1],
    ["GEOADD Sicily XX CH 1 1 Palermo 3 3 other", 1],
    ["GEOADD Sicily CH XX 1 1 Palermo", 0],
    ["GEOADD none XX 1 1 a", 0],
    ["EXISTS none", 0],
    [
      "GEOADD Sicily 181 0 a",
      "-ERR invalid longitude,latitude pair 181.000000,0.000000",
    ],
    [
      "GEOADD Sicily 0 -85.06 a",
      "-ERR invalid longitude,latitude pair 0.000000,-85.060000",
    ],
    ["GEOADD Sicily 0 x a", "-ERR value is not a valid float"],
    ["GEOADD Sicily NX XX 1 1 a", SYNTAX],
    ["GEOADD Sicily 1 1 a 2", SYNTAX],
    ["GEOADD Sicily CH CH CH", SYNTAX],
    ["ZCARD Sicily", 3],
    ["SET text x", "OK"],
    ["GEOADD text 1 1 a", WRONG_TYPE],
    [
      "GEOADD text 181 1 a",
      "-ERR invalid longitude,latitude pair 181.000000,1.000000",
    ],
  ]);
});

commandSuite(
  "GEOPOS, GEOHASH and GEODIST tell of places",
  async ({ client, resp }) => {
    await expectReplies(client, [
      [SICILY, 2],
      ["GEOPOS Sicily Palermo none Catania", [
        place(resp, "13.36138933897018433", "38.11555639549629859"),
        null,
        place(resp, "15.08726745843887329", "37.50266842333162032"),
      ]],
      ["GEOPOS none a b", [null, null]],
      ["GEOPOS Sicily", []],
      ["GEOHASH Sicily Palermo none Catania", [
        "sqc8b49rny0",
        null,
        "sqdtr74hyu0",
      ]],
      ["GEODIST Sicily Palermo Catania", "166274.1516"],
      ["GEODIST Sicily Palermo Catania km", "166.2742"],
      ["GEODIST Sicily Palermo Catania MI", "103.3182"],
      ["GEODIST Sicily Palermo Catania ft", "545518.8700"],
      ["GEODIST Sicily Palermo none", null],
      ["GEODIST none a b", null],
      [
        "GEODIST none a b yd",
        "-ERR unsupported unit provided. please use M, KM, FT, MI",
      ],
      ["GEODIST Sicily a b m m", SYNTAX],
      ["SET text x", "OK"],
      ["GEODIST text a b", WRONG_TYPE],
      ["GEOPOS text a", WRONG_TYPE],
      ["GEOHASH text a", WRONG_TYPE],
    ]);
  },
);

commandSuite(
  "GEOSEARCH finds what lies in circles and boxes",
  async ({ client, resp }) => {
    const palermo = place(resp, "13.36138933897018433", "38.11555639549629859");
    const catania = place(resp, "15.08726745843887329", "37.50266842333162032");
    await expectReplies(client, [
      [SICILY, 2],
      ["GEOADD Sicily 12.758489 38.788135 edge1 17.241510 38.788135 edge2", 2],
      ["GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 200 km ASC", [
        "Catania",
        "Palermo",
      ]],
      ["GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 200 km DESC", [
        "Palermo",
        "Catania",
      ]],
      [
        "GEOSEARCH Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST",
        [
          ["Catania", "56.4413", catania],
          ["Palermo", "190.4424", palermo],
          [
            "edge2",
            "279.7403",
            place(resp, "17.24151045083999634", "38.78813451624225195"),
          ],
          [
            "edge1",
            "279.7405",
            place(resp, "12.7584877610206604", "38.78813451624225195"),
          ],
        ],
      ],
      ["GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS 1 m WITHHASH", [
        ["Palermo", 3479099956230698],
      ]],
      ["GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 900 km COUNT 2", [
        "Catania",
        "Palermo",
      ]],
      ["GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 900 km COUNT 9 DESC", [
        ...["edge1", "edge2", "Palermo", "Catania"],
      ]],
      ["GEOSEARCH Sicily FROMLONLAT 0 0 BYRADIUS 1 km", []],
      ["GEOSEARCH none FROMMEMBER a BYRADIUS 1 km", []],
    ]);
  },
);

commandSuite("GEOSEARCH complains as Redis does", async ({ client }) => {
  const near = "GEOSEARCH Sicily FROMLONLAT 1 1";
  await expectReplies(client, [
    [SICILY, 2],
    ["SET text x", "OK"],
    ["GEOSEARCH text BOGUS 1 1 1 1", WRONG_TYPE],
    [
      "GEOSEARCH Sicily FROMMEMBER none BYRADIUS 1 m",
      "-ERR could not decode requested zset member",
    ],
    [
      "GeoSearch Sicily BYRADIUS 1 m ASC ASC",
      "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GeoSearch",
    ],
    [
      `${near} ASC ASC`,
      "-ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH",
    ],
    [`${near} FROMMEMBER Palermo`, SYNTAX],
    [`${near} BYRADIUS 1 m BYBOX 1 1 m`, SYNTAX],
    [`${near} BYRADIUS x m`, "-ERR need numeric radius"],
    [`${near} BYRADIUS -1 m`, "-ERR radius cannot be negative"],
    [`${near} BYBOX x 1 m`, "-ERR need numeric width"],
    [`${near} BYBOX 1 x m`, "-ERR need numeric height"],
    [`${near} BYBOX 1 -1 m`, "-ERR height or width cannot be negative"],
    [`${near} BYRADIUS 1 m COUNT 0`, "-ERR COUNT must be > 0"],
    [
      `${near} BYRADIUS 1 m ANY`,
      "-ERR the ANY argument requires COUNT argument",
    ],
    [`${near} BYRADIUS 1 m STOREDIST`, SYNTAX],
    [
      "GEOSEARCHSTORE d Sicily FROMLONLAT 1 1 BYRADIUS 1 m WITHDIST",
      "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
    ],
  ]);
});

commandSuite(
  "GEOSEARCHSTORE and GEORADIUS store on any shard",
  async ({ client }) => {
    await client.run(...SICILY.split(" "));
    for (const tag of TAGS) {
      const target = `{${tag}}target`;
      await expectReplies(client, [
        [`SET ${target} text EX 100`, "OK"],
        [`GEOSEARCHSTORE ${target} Sicily FROMLONLAT 15 37 BYRADIUS 200 km`, 2],
        [`TTL ${target}`, -1],
        [`GEOHASH ${target} Palermo`, ["sqc8b49rny0"]],
        [`GEORADIUS Sicily 15 37 200 km COUNT 1 STORE ${target}`, 1],
        [`ZRANGE ${target} 0 -1`, ["Catania"]],
        [
          `GEORADIUSBYMEMBER Sicily Palermo 1 m STORE other STOREDIST ${target}`,
          1,
        ],
        [`EXISTS other ${target}`, 1],
        [`ZRANGE ${target} 0 -1`, ["Palermo"]],
        [`GEOSEARCHSTORE ${target} Sicily FROMLONLAT 0 0 BYRADIUS 1 m`, 0],
        [`EXISTS ${target}`, 0],
        [
          `GEOSEARCHSTORE ${target} Sicily FROMMEMBER Palermo BYRADIUS 0 m STOREDIST`,
          1,
        ],
        [`GEORADIUS none 0 0 1 m STORE ${target}`, 0],
        [`EXISTS ${target}`, 0],
      ]);
    }
    await expectReplies(client, [
      ["GEOSEARCHSTORE Sicily Sicily FROMMEMBER Palermo BYRADIUS 1 m", 1],
      ["ZRANGE Sicily 0 -1", ["Palermo"]],
    ]);
  },
);

commandSuite("GEORADIUS searches as it always has", async ({ client }) => {
  await expectReplies(client, [
    [SICILY, 2],
    ["GEORADIUS Sicily 15 37 200 km WITHDIST ASC", [
      ["Catania", "56.4413"],
      ["Palermo", "190.4424"],
    ]],
    ["GEORADIUS_RO Sicily 15 37 200 km COUNT 1", ["Catania"]],
    ["GEORADIUS_RO Sicily 15 37 200 km STORE d", SYNTAX],
    ["GEORADIUSBYMEMBER Sicily Palermo 200 km DESC", ["Catania", "Palermo"]],
    ["GEORADIUSBYMEMBER_RO Sicily Palermo 1 km", ["Palermo"]],
    [
      "GEORADIUSBYMEMBER Sicily none 1 km",
      "-ERR could not decode requested zset member",
    ],
    ["GEORADIUSBYMEMBER none a x yd", []],
    ["GEORADIUS none x 0 1 m", "-ERR value is not a valid float"],
    [
      "GEORADIUS Sicily 15 37 1 yd",
      "-ERR unsupported unit provided. please use M, KM, FT, MI",
    ],
    [
      "GEORADIUS Sicily 15 37 1 m STORE d WITHDIST",
      "-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
    ],
  ]);
});
