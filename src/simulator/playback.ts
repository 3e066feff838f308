/**
 * A recorded feed, played back: one frame per line, at the recording's own pace, faster, or at
 * once.
 *
 * The session is the simulator's own, so recorded answers to somebody else's requests (acks,
 * status) are left out; everything else goes out byte for byte. A frame without a time goes with
 * the one before it.
 */
import { readFile } from 'node:fs/promises';
import { assert, EXIT, errorCode, UserError } from '#src/base/errors';

export interface RecordedFrame {
  readonly timeUs: number;
  readonly bytes: Buffer;
}

const ANSWER =
  /^\{"(?:result|method|error)":|"type":"subscriptions"|"channel":"(?:status|subscriptions)"/;
const BINANCE_TIME = /"E":(\d{13,16})/;
const ISO_TIME = /"(?:timestamp|time)":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?/;

/** The event time a frame carries, us; undefined when it carries none. */
export function frameTimeUs(text: string): number | undefined {
  const binance = BINANCE_TIME.exec(text)?.[1];
  if (binance !== undefined) return Number(binance) * (binance.length === 13 ? 1000 : 1);
  const iso = ISO_TIME.exec(text);
  if (iso === null) return undefined;
  return Date.parse(`${iso[1]}Z`) * 1000 + Number((iso[2] ?? '').padEnd(6, '0').slice(0, 6));
}

export async function loadRecording(path: string): Promise<readonly RecordedFrame[]> {
  let recording: Buffer;
  try {
    recording = await readFile(path);
  } catch (error) {
    const why = errorCode(error);
    throw new UserError(EXIT.noInput, `${path}: the recording cannot be read (${why}).`, {
      cause: error,
    });
  }
  const frames: RecordedFrame[] = [];
  let timeUs = Number.NaN;
  for (let start = 0; start < recording.length; ) {
    const newline = recording.indexOf(10, start);
    const end = newline < 0 ? recording.length : newline;
    const bytes = recording.subarray(start, end);
    start = end + 1;
    const text = bytes.toString();
    if (text === '' || ANSWER.test(text)) continue;
    timeUs = frameTimeUs(text) ?? timeUs;
    frames.push({ timeUs, bytes });
  }
  return frames;
}

export class Playback {
  readonly #frames: readonly RecordedFrame[];
  readonly #speed: number;
  readonly #firstUs: number;
  #startedMs: number | undefined;
  #next = 0;

  /** `speed` 1 is the recording's own pace, Infinity as fast as it goes. */
  constructor(frames: readonly RecordedFrame[], speed: number) {
    assert(speed > 0, `playback speed ${speed} is not positive`);
    this.#frames = frames;
    this.#speed = speed;
    this.#firstUs = frames.find((frame) => !Number.isNaN(frame.timeUs))?.timeUs ?? 0;
  }

  get finished(): boolean {
    return this.#next === this.#frames.length;
  }

  get played(): number {
    return this.#next;
  }

  /** The next frames due, at most `max`; the first call starts the recording. */
  due(nowMs: number, max: number): readonly RecordedFrame[] {
    this.#startedMs ??= nowMs;
    const playedUs = (nowMs - this.#startedMs) * 1000 * this.#speed;
    const untilUs =
      this.#speed === Number.POSITIVE_INFINITY ? this.#speed : this.#firstUs + playedUs;
    const start = this.#next;
    while (this.#next < this.#frames.length && this.#next - start < max) {
      const { timeUs } = this.#frames[this.#next]!;
      if (timeUs > untilUs) break;
      this.#next++;
    }
    return this.#frames.slice(start, this.#next);
  }
}
