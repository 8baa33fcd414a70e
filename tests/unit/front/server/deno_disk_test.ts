import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { readFully } from "../../../../src/engine/persistence/disk.ts";
import { DenoDisk } from "../../../../src/front/server/deno_disk.ts";
import { Random } from "../../../_random.ts";

const MODEL_BYTES = 4 << 20;

Deno.test("DenoDisk writes a file past the system's cache and through it", () => {
  const folder = Deno.makeTempDirSync();
  const random = new Random(11);
  const bytes = latin1BytesOf(random.binary(1 << 20));
  const many = new Uint8Array(3 << 20);
  for (let at = 0; at < many.length; at += bytes.length) many.set(bytes, at);
  try {
    const path = `${folder}/file`;
    const file = new DenoDisk().open(path, "create");
    const model = new Uint8Array(MODEL_BYTES);
    let end = 0;
    for (let step = 0; step < 120; step++) {
      const length = step === 60
        ? 2_500_000
        : random.below(random.chance(0.5) ? 500 : 20_000) + 1;
      const from = random.below(1000);
      const piece = many.subarray(from, from + length);
      if (end + length > MODEL_BYTES) break;
      // Behind what is reserved there is nothing but what was written.
      const isReserved = random.chance(0.5) &&
        file.reserve(end + length + 8192);
      const isThrough = isReserved && random.chance(0.8) || step === 60;
      for (let done = 0; done < length;) {
        const rest = piece.subarray(done);
        const written = isThrough
          ? file.writeThrough(end + done, rest)
          : file.write(end + done, rest);
        assert(written > 0 && written <= rest.length);
        done += written;
      }
      model.set(piece, end);
      end += length;
      if (random.chance(0.1)) {
        end -= random.below(Math.min(end, 6000));
        file.truncate(end);
        model.fill(0, end);
      }
      if (random.chance(0.1)) file.sync();
      const size = file.size();
      assert(size >= end && size <= end + 8192 * 2);
      const found = new Uint8Array(size);
      assertEquals(readFully(file, 0, found), size);
      // Compared in words, as element by element it takes long.
      assertEquals(digest(found), digest(model.subarray(0, size)));
    }
    file.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

function digest(bytes: Uint8Array): string {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) {
    sum = Math.imul(sum, 31) + bytes[i]! | 0;
  }
  return `${bytes.length}:${sum}`;
}
