/**
 * Appends frames to the bronze log of one exchange. The only writer of its directory.
 *
 *   append  copies a frame into the pending block          (memory)
 *   flush   writes the pending block, once per event turn  (written: readers see it, kill -9 keeps it)
 *   sync    fdatasync off the thread, on a timer           (durable: a power loss keeps it)
 *
 * Errors: a full disk throws a UserError and changes nothing: the frame was not taken, the pending
 * block is kept, and flush may be called again when there is space. Any other error, and every
 * failed fsync, poisons the writer: from then on every call throws the same UserError, because what
 * the disk holds is no longer known. The next open (log/recovery.ts) finds out.
 */

import { crc32 } from 'node:zlib';
import { type Disk, writeFully } from '#src/base/disk';
import { AssertionError, assert, EXIT, errorCode, UserError } from '#src/base/errors';
import { mark } from '#src/base/marks';
import { FRAME_BYTES_MAX } from '#src/log/frame';
import {
  BLOCK,
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  BLOCK_PAYLOAD_BYTES,
  BLOCK_PAYLOAD_BYTES_MAX,
  BLOCK_SPAN_US_MAX,
  FRAME,
  FRAME_HEADER_BYTES,
  setUint53,
  viewOf,
} from '#src/log/layout';
import type { LogHead } from '#src/log/log-head';
import { createSegment, type OpenSegment, resumeSegment, sealSegment } from '#src/log/open-segment';
import { type LogRecovery, markSuspect, recoverLog } from '#src/log/recovery';

export interface LogWriterOptions {
  readonly disk: Disk;
  /** The folder of this exchange's log; made when missing. */
  readonly dir: string;
  /** Name on disk, at most 24 ASCII characters. */
  readonly exchange: string;
  readonly head: LogHead;
  /** A segment is closed before a block would take it above this. */
  readonly segmentBytesMax?: number;
  /** ... or when a block begins this long after the segment's first frame, by receive time. */
  readonly segmentAgeUsMax?: number;
  /** Frames below it were durable and used (the last epoch's position): recovery misses them. */
  readonly durableNextSequence?: number;
}

const SEGMENT_BYTES_MAX = 256 * 1024 * 1024;
const SEGMENT_AGE_US_MAX = 3_600_000_000;

/** Full, not broken: goes away when someone makes space. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export class LogWriter {
  /** What open found and did. */
  readonly recovery: LogRecovery;

  readonly #disk: Disk;
  readonly #dir: string;
  readonly #exchange: string;
  readonly #head: LogHead;
  readonly #segmentBytesMax: number;
  readonly #segmentAgeUsMax: number;

  /** The pending block. Only the pages a block needs are ever touched. */
  readonly #block = Buffer.allocUnsafeSlow(BLOCK_HEADER_BYTES + BLOCK_PAYLOAD_BYTES_MAX);
  readonly #view = viewOf(this.#block);
  #used = BLOCK_HEADER_BYTES;
  #frames = 0;
  #blockTimeUs = 0;
  #lastTimeUs: number;

  #segment: OpenSegment | undefined;
  /** CRC of the last block or, at the start of a segment, of its header. */
  #chain: number;
  #written: number;
  #durable: number;
  #writtenTimeUs: number;

  #syncing: Promise<void> | undefined;
  #queuedSync: Promise<void> | undefined;
  #poison: UserError | undefined;
  #closed = false;

  static open(options: LogWriterOptions): LogWriter {
    try {
      return new LogWriter(options);
    } catch (error) {
      if (errorCode(error) === '') throw error;
      throw new UserError(
        EXIT.io,
        `bronze log ${options.dir} cannot be opened (${errorCode(error)}): check the disk`,
        { cause: error },
      );
    }
  }

  private constructor(options: LogWriterOptions) {
    this.#disk = options.disk;
    this.#dir = options.dir;
    this.#exchange = options.exchange;
    this.#head = options.head;
    this.#segmentBytesMax = options.segmentBytesMax ?? SEGMENT_BYTES_MAX;
    this.#segmentAgeUsMax = options.segmentAgeUsMax ?? SEGMENT_AGE_US_MAX;
    const recovered = recoverLog({
      disk: options.disk,
      dir: options.dir,
      exchange: options.exchange,
      durableNextSequence: options.durableNextSequence ?? 0,
    });
    this.recovery = recovered.report;
    this.#chain = recovered.lastCrc;
    this.#written = this.#durable = recovered.nextSequence;
    this.#lastTimeUs = this.#writtenTimeUs = recovered.maxReceiveTimeUs;
    if (recovered.open !== undefined) {
      this.#segment = resumeSegment(options.disk, options.dir, recovered.open);
    }
    this.#publish();
  }

  /** Next sequence: readers can have every frame below it. */
  get writtenThrough(): number {
    return this.#written;
  }

  /** Next sequence: every frame below it survives a power loss. */
  get durableThrough(): number {
    return this.#durable;
  }

  /** Sequence the next appended frame gets. */
  get nextSequence(): number {
    return this.#written + this.#frames;
  }

  /** Why every call fails from now on, if it does. */
  get poisoned(): UserError | undefined {
    return this.#poison;
  }

  /**
   * Takes a frame and returns its sequence, or throws and has not taken it. The bytes are copied.
   * A receive time below the log's last one is raised to it.
   */
  append(bytes: Uint8Array, kind: number, connection: number, receiveTimeUs: number): number {
    const length = bytes.length;
    const timeUs = Math.max(receiveTimeUs, this.#lastTimeUs);
    if (this.#poison !== undefined) throw this.#poison;
    if (
      length > FRAME_BYTES_MAX ||
      kind > 0xff ||
      connection > 0xffff ||
      !Number.isSafeInteger(timeUs) ||
      this.#closed
    ) {
      this.#refuse(length, kind, connection, receiveTimeUs);
    }
    let at = this.#used;
    if (
      at > BLOCK_HEADER_BYTES &&
      (at + FRAME_HEADER_BYTES + length > BLOCK_HEADER_BYTES + BLOCK_PAYLOAD_BYTES ||
        timeUs - this.#blockTimeUs > BLOCK_SPAN_US_MAX)
    ) {
      this.flush();
      at = this.#used;
    }
    if (at === BLOCK_HEADER_BYTES) this.#blockTimeUs = timeUs;
    const view = this.#view;
    view.setUint32(at + FRAME.bytes, length, true);
    view.setUint32(at + FRAME.receiveDeltaUs, timeUs - this.#blockTimeUs, true);
    view.setUint16(at + FRAME.connection, connection, true);
    view.setUint16(at + FRAME.kind, kind, true); // and the zero byte after it
    this.#block.set(bytes, at + FRAME_HEADER_BYTES);
    this.#used = at + FRAME_HEADER_BYTES + length;
    this.#lastTimeUs = timeUs;
    return this.#written + this.#frames++;
  }

  /** Writes the pending block and tells the readers. */
  flush(): void {
    if (this.#poison !== undefined) throw this.#poison;
    if (this.#frames === 0) return;
    const blockBytes = this.#used;
    try {
      if (this.#rollIsDue(blockBytes)) this.#roll();
      this.#segment ??= this.#create();
      const segment = this.#segment;
      const crc = this.#finishBlock(segment.tag);
      writeFully(this.#disk, segment.fd, this.#block, segment.bytes, blockBytes);
      segment.hash.update(this.#block.subarray(0, blockBytes));
      if (segment.frames === 0) segment.minTimeUs = this.#blockTimeUs;
      segment.bytes += blockBytes;
      segment.frames += this.#frames;
      this.#chain = crc;
    } catch (error) {
      throw this.#diskError(error, 'write');
    }
    this.#written += this.#frames;
    this.#writtenTimeUs = this.#lastTimeUs;
    this.#frames = 0;
    this.#used = BLOCK_HEADER_BYTES;
    this.#publish();
  }

  /**
   * Makes everything written before this call durable. Calls while one is under way share the one
   * that follows it. Never writes: call flush first.
   */
  sync(): Promise<void> {
    if (this.#poison !== undefined) return Promise.reject(this.#poison);
    if (this.#syncing !== undefined) {
      this.#queuedSync ??= this.#syncing.then(() => {
        this.#queuedSync = undefined;
        return this.sync();
      });
      return this.#queuedSync;
    }
    if (this.#segment === undefined || this.#durable === this.#written) return Promise.resolve();
    this.#syncing = this.#datasync(this.#segment.fd).finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  /** Writes and syncs what is pending; the open segment stays open for the next writer. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#poison === undefined) {
        this.flush();
        await this.sync();
      }
    } finally {
      await this.#syncing?.catch(() => {}); // reported to its caller; the fd must not go before it
      if (this.#segment !== undefined) this.#disk.close(this.#segment.fd);
      this.#segment = undefined;
    }
  }

  async #datasync(fd: number): Promise<void> {
    const through = this.#written;
    try {
      await this.#disk.datasync(fd);
    } catch (error) {
      throw this.#poisonWith(error, 'fsync');
    }
    if (through > this.#durable) this.#durable = through;
    this.#publish();
  }

  /** Fills in the header of the pending block; returns its CRC. */
  #finishBlock(tag: number): number {
    const view = this.#view;
    view.setUint32(BLOCK.magic, BLOCK_MAGIC, true);
    view.setUint32(BLOCK.payloadBytes, this.#used - BLOCK_HEADER_BYTES, true);
    view.setUint32(BLOCK.frames, this.#frames, true);
    setUint53(view, BLOCK.firstSequence, this.#written);
    setUint53(view, BLOCK.firstReceiveTimeUs, this.#blockTimeUs);
    view.setUint32(BLOCK.tag, tag, true);
    view.setUint32(BLOCK.previousCrc, this.#chain, true);
    const crc = crc32(this.#block.subarray(BLOCK.crcFrom, this.#used));
    view.setUint32(BLOCK.crc, crc, true);
    return crc;
  }

  /** Never while a sync is under way: of two fsyncs at once only one is told of an error. */
  #rollIsDue(blockBytes: number): boolean {
    const segment = this.#segment;
    if (segment === undefined || segment.frames === 0 || this.#syncing !== undefined) return false;
    return (
      segment.bytes + blockBytes > this.#segmentBytesMax ||
      this.#blockTimeUs - segment.createdUs >= this.#segmentAgeUsMax
    );
  }

  /** Ends the open segment: durable and sealed before the next one exists. */
  #roll(): void {
    const segment = this.#segment as OpenSegment;
    // A write that failed half-way may have left bytes of a block that now goes to the next segment.
    if (this.#disk.size(segment.fd) > segment.bytes) {
      this.#disk.truncate(segment.fd, segment.bytes);
    }
    try {
      this.#disk.fsync(segment.fd);
    } catch (error) {
      throw this.#poisonWith(error, 'fsync');
    }
    this.#durable = this.#written;
    sealSegment(this.#disk, this.#dir, this.#exchange, segment, {
      nextSequence: this.#written,
      maxTimeUs: this.#writtenTimeUs,
      lastCrc: this.#chain,
    });
    mark('log: a segment was sealed');
    this.#segment = undefined;
    this.#publish();
  }

  #create(): OpenSegment {
    const segment = createSegment(this.#disk, this.#dir, {
      exchange: this.#exchange,
      firstSequence: this.#written,
      firstReceiveTimeUs: this.#blockTimeUs,
      previousCrc: this.#chain,
    });
    this.#chain = segment.tag;
    return segment;
  }

  #publish(): void {
    const segment = this.#segment;
    this.#head.publish(
      segment?.firstSequence ?? this.#written,
      segment?.bytes ?? 0,
      this.#written,
      this.#durable,
      this.#writtenTimeUs,
    );
  }

  #refuse(length: number, kind: number, connection: number, receiveTimeUs: number): never {
    assert(!this.#closed, 'append to a closed log');
    throw new AssertionError(
      `no frame: ${length} bytes (at most ${FRAME_BYTES_MAX}), kind ${kind}, ` +
        `connection ${connection}, receive time ${receiveTimeUs} us`,
    );
  }

  #diskError(error: unknown, doing: string): unknown {
    const code = errorCode(error);
    if (code === '' || error === this.#poison) return error;
    if (!FULL.has(code)) return this.#poisonWith(error, doing);
    mark('log: a full disk refused a block');
    return new UserError(
      EXIT.io,
      `bronze log ${this.#dir} cannot grow (${code}): make space; nothing durable is lost`,
      { cause: error },
    );
  }

  #poisonWith(error: unknown, doing: string): UserError {
    mark('log: the writer was poisoned');
    this.#poison = new UserError(
      EXIT.io,
      `bronze log ${this.#dir}: ${doing} failed (${errorCode(error)}) after frame ` +
        `${this.#durable} became durable: check the disk, then start again`,
      { cause: error },
    );
    try {
      markSuspect(this.#disk, this.#dir);
    } catch {
      // A disk that refuses this file too: the error above is told either way.
    }
    return this.#poison;
  }
}
