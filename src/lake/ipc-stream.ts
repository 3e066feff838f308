/**
 * Arrow record batches as one IPC stream in reused memory: the way into parquet-wasm.
 *
 * Every buffer is copied out of its batch when the batch is written, so a caller may overwrite its
 * columns for the next batch at once. (apache-arrow's own sink keeps references until the end,
 * joins those that lie side by side in memory, which corrupts columns that share a buffer, and
 * allocates the joined result anew each time: page faults alone took 60 ns a row.)
 */
import {
  AsyncByteQueue,
  type RecordBatch,
  RecordBatchStreamWriter,
  type Schema,
} from 'apache-arrow';
import { assert } from '#src/base/errors';

class ReusedBytes extends AsyncByteQueue<Uint8Array> {
  #bytes = new Uint8Array(1 << 20);
  #length = 0;

  override write(chunk: ArrayBufferLike | ArrayBufferView): void {
    assert(chunk instanceof Uint8Array, 'apache-arrow writes byte arrays only');
    const end = this.#length + chunk.byteLength;
    if (end > this.#bytes.length) {
      const wider = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      wider.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = wider;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = end;
  }

  clear(): void {
    this.#length = 0;
  }

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

export class IpcStream {
  readonly #sink = new ReusedBytes();
  #writer = new RecordBatchStreamWriter();

  /** Starts a stream of batches of `schema`; what was written before is overwritten. */
  begin(schema: Schema): void {
    this.#sink.clear();
    this.#writer = new RecordBatchStreamWriter();
    this.#writer.reset(this.#sink, schema);
  }

  write(batch: RecordBatch): void {
    this.#writer.write(batch);
  }

  /** The whole stream: valid until the next `begin`. */
  end(): Uint8Array {
    this.#writer.finish();
    return this.#sink.written;
  }
}
