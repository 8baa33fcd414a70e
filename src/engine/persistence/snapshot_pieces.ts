/**
 * Puts records together to pieces, which are given away when a buffer is nearly
 * full.
 *
 * Each piece begins with its database, so pieces of several writers can be
 * written in any order; only a record that is larger than a buffer goes out in
 * several pieces, which belong together.
 *
 * @module
 */

import { writeSelect } from "../../core/rdb/rdb_file_writer.ts";
import { type RdbSink, RdbWriter } from "../../core/rdb/rdb_writer.ts";

/** Bytes of a buffer. */
const BUFFER_BYTES = 256 * 1024;
/** So many bytes are a piece. */
const PIECE_BYTES = 192 * 1024;

/** Some records, or a part of one. */
export interface Piece {
  /** Who has written it: pieces of one stream come in their order. */
  readonly stream: number;
  readonly bytes: Uint8Array;
  /** Whether the record at its end goes on in the stream's next piece. */
  readonly isOpen: boolean;
  /** Keys whose records end in it. */
  readonly keys: number;
}

/** One stream of pieces. */
export class PieceWriter implements RdbSink {
  /** Where records are written. */
  readonly writer = new RdbWriter(BUFFER_BYTES);
  /** Pieces of the record at hand that were sent. */
  sent = 0;
  readonly #stream: number;
  readonly #send: (piece: Piece) => void;
  /** The database of what is in the buffer, or -1. */
  #db = -1;
  /** Keys whose records are in the buffer. */
  #keys = 0;

  /** `send` takes the pieces, with their buffers. */
  constructor(
    stream: number,
    compresses: boolean,
    send: (piece: Piece) => void,
  ) {
    this.#stream = stream;
    this.#send = send;
    this.writer.begin(this, compresses, false);
  }

  /** Begins a record of a database. */
  beginRecord(db: number): void {
    if (db === this.#db) return;
    writeSelect(this.writer, db);
    this.#db = db;
  }

  /** Ends it. */
  endRecord(): void {
    this.#keys++;
    if (this.sent > 0 || this.writer.at > PIECE_BYTES) this.flush();
  }

  /** Sends what there is; no record is at hand. */
  flush(): void {
    if (this.writer.at === 0 && this.sent === 0) return;
    const bytes = this.writer.take();
    const keys = this.#keys;
    this.#keys = this.sent = 0;
    this.#db = -1;
    this.#send({ stream: this.#stream, bytes, isOpen: false, keys });
  }

  /** A part of a record that is larger than the buffer. */
  write(buf: Uint8Array, off: number, length: number): void {
    this.sent++;
    const bytes = buf.slice(off, off + length);
    this.#send({ stream: this.#stream, bytes, isOpen: true, keys: 0 });
  }
}
