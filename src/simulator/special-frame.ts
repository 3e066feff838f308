/** The frame a special stands for on one connection, and what the journal has to say of it. */
import {
  CONTROL_FRAMES,
  frameText,
  garbageFrame,
  invalidFrame,
  OPCODE_TEXT,
  oversizeFrame,
} from '#src/simulator/faulty-frames';
import type { Special } from '#src/simulator/feed-plan';
import type { Feed, FrameFormat } from '#src/simulator/frame-format';
import type { JournalFault } from '#src/simulator/journal';
import type { Tape } from '#src/simulator/tape';

export interface SpecialFrame {
  readonly bytes: Buffer;
  readonly opcode: number;
  readonly entry: JournalFault;
  /** The frame also carries the true trade of the special's unit. */
  readonly carriesTrade: boolean;
}

export function specialFrame(
  feed: Feed,
  format: FrameFormat,
  tape: Tape,
  special: Special,
  connection: number,
): SpecialFrame {
  const { fault, instrument, unit, draw } = special;
  const base = { feed, fault, connection };
  if (fault === 'oversize') {
    const bytes = oversizeFrame();
    const entry = { ...base, byteLength: bytes.length };
    return { bytes, opcode: OPCODE_TEXT, entry, carriesTrade: false };
  }
  if (fault === 'control') {
    const texts = CONTROL_FRAMES[feed];
    const bytes = Buffer.from(texts[draw % texts.length] as string);
    const entry = { ...base, bytes, byteLength: bytes.length };
    return { bytes, opcode: OPCODE_TEXT, entry, carriesTrade: false };
  }
  const row = feed === 'binance-aggtrade' ? tape.aggregateRow(unit) : unit;
  const frame =
    fault === 'invalid'
      ? invalidFrame(feed, format, instrument, unit, tape.time.get(row), special.reason)
      : garbageFrame(special.garbage, () => frameText(format, instrument, unit), draw);
  const { bytes, opcode, reason, recordIndex, carriesTrade } = frame;
  const { nativeSymbol, startId } = tape.instrument;
  const what = { nativeSymbol, firstId: startId + unit, count: 1, reason, recordIndex };
  const garbage = fault === 'garbage' ? { garbage: special.garbage } : {};
  const entry = { ...base, ...what, ...garbage, bytes, byteLength: bytes.length };
  return { bytes, opcode, entry, carriesTrade };
}
