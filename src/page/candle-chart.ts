/**
 * The chart: candles with volume beneath, in UTC. A candle that may still change is drawn hollow; one
 * that is final and not proven complete, in amber. Positions are floats, because pixels are; every figure
 * in words comes from the exact text.
 */
import type { CandleRow } from '#src/output/candle-row';
import {
  CandlestickSeries,
  createChart,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type UTCTimestamp,
} from './lightweight-charts.js';
import { colour } from './theme.js';

/** Share of the height the volume takes. */
const VOLUME_TOP = 0.82;
/** Windows from the left edge at which older candles are asked for. */
const EDGE = 20;
/** Windows left free for what comes. */
const RIGHT_OFFSET = 4;
/** Pixels from one candle to the next at first: a short history gets wide ones. */
const SPACING = { min: 8, max: 22 } as const;
/** Windows a short history is given room for. */
const WINDOWS_MIN = 36;
const CLEAR = 'rgba(0, 0, 0, 0)';

interface Palette {
  readonly rising: string;
  readonly falling: string;
  readonly amber: string;
  readonly amberFill: string;
  readonly volume: string;
}

export interface ChartEvents {
  /** The candle under the crosshair, or undefined when there is none. */
  onPoint(candle: CandleRow | undefined): void;
  /** The left edge has come near. */
  onLeftEdge(): void;
}

function timeOf({ window_start }: CandleRow): UTCTimestamp {
  return (Date.parse(window_start) / 1_000) as UTCTimestamp;
}

export class CandleChart {
  readonly #chart: IChartApi;
  readonly #prices: ISeriesApi<'Candlestick'>;
  readonly #volumes: ISeriesApi<'Histogram'>;
  readonly #candles = new Map<number, CandleRow>();
  #palette: Palette | undefined;
  #decimals = 2;

  constructor(container: HTMLElement, events: ChartEvents) {
    this.#chart = createChart(container, {
      autoSize: true,
      layout: {
        attributionLogo: false,
        fontSize: 11,
        fontFamily: getComputedStyle(container).fontFamily,
      },
      timeScale: { timeVisible: true, secondsVisible: false, rightOffset: RIGHT_OFFSET },
      rightPriceScale: { scaleMargins: { top: 0.06, bottom: 1 - VOLUME_TOP + 0.04 } },
      handleScale: { axisPressedMouseMove: { price: false } },
    });
    this.#prices = this.#chart.addSeries(CandlestickSeries, { priceLineStyle: 2 });
    this.#volumes = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.#volumes.priceScale().applyOptions({ scaleMargins: { top: VOLUME_TOP, bottom: 0 } });
    this.#chart.subscribeCrosshairMove(({ time }) => {
      events.onPoint(time === undefined ? undefined : this.#candles.get(time as number));
    });
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range !== null && range.from < EDGE && this.#candles.size > 0) events.onLeftEdge();
    });
  }

  /** Takes the colours of the style sheet anew. */
  paint(): void {
    const ink = colour('ink-2');
    const line = colour('line');
    this.#palette = {
      rising: colour('rising'),
      falling: colour('falling'),
      amber: colour('amber'),
      amberFill: colour('amber', 0.35),
      volume: colour('ink-3', 0.35),
    };
    this.#chart.applyOptions({
      layout: { background: { color: CLEAR }, textColor: ink },
      grid: {
        vertLines: { color: colour('line', 0.6) },
        horzLines: { color: colour('line', 0.6) },
      },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
      crosshair: {
        vertLine: { color: ink, labelBackgroundColor: colour('ink-3') },
        horzLine: { color: ink, labelBackgroundColor: colour('ink-3') },
      },
    });
    this.#redraw();
  }

  /** Starts over, with other candles. */
  clear(): void {
    this.#candles.clear();
    this.#decimals = 2;
    this.#redraw();
    this.#chart.timeScale().resetTimeScale();
  }

  /** Adds older candles, or replaces known ones. */
  load(rows: readonly CandleRow[]): void {
    for (const row of rows) this.#candles.set(timeOf(row), row);
    this.#redraw();
  }

  /** Shows the newest candles, as wide as suits how many there are. */
  fit(): void {
    const timeScale = this.#chart.timeScale();
    const room = timeScale.width() / Math.max(WINDOWS_MIN, this.#candles.size + RIGHT_OFFSET);
    const barSpacing = Math.min(SPACING.max, Math.max(SPACING.min, room));
    timeScale.applyOptions({ barSpacing });
    timeScale.scrollToRealTime();
  }

  /** A candle is new or has changed. */
  update(row: CandleRow): void {
    const time = timeOf(row);
    const newest = this.newest;
    this.#candles.set(time, row);
    if (newest !== undefined && time < timeOf(newest)) {
      this.#redraw(); // late trades: rare
      return;
    }
    const bar = this.#bar(row);
    this.#prices.update(bar);
    this.#prices.applyOptions({ priceLineColor: bar.borderColor });
    this.#volumes.update(this.#volume(row));
  }

  /** Decimals that prices are shown with. */
  set decimals(decimals: number) {
    if (decimals === this.#decimals) return;
    this.#decimals = decimals;
    this.#prices.applyOptions({
      priceFormat: { type: 'price', precision: decimals, minMove: 10 ** -decimals },
    });
  }

  get oldest(): CandleRow | undefined {
    return this.#candles.get(Math.min(...this.#candles.keys()));
  }

  get newest(): CandleRow | undefined {
    return this.#candles.get(Math.max(...this.#candles.keys()));
  }

  get count(): number {
    return this.#candles.size;
  }

  /**
   * Final candles in view that are not proven complete. The oldest one known is left out: the first
   * of a history cannot be proven.
   */
  get incompleteInView(): number {
    const range = this.#chart.timeScale().getVisibleRange();
    const oldest = Math.min(...this.#candles.keys());
    let count = 0;
    for (const [time, { is_final, is_complete }] of this.#candles) {
      if (!is_final || is_complete || time === oldest || range === null) continue;
      if (time >= (range.from as number) && time <= (range.to as number)) count++;
    }
    return count;
  }

  #redraw(): void {
    if (this.#palette === undefined) return;
    const rows = [...this.#candles].sort(([a], [b]) => a - b).map(([, row]) => row);
    const bars = rows.map((row) => this.#bar(row));
    this.#prices.setData(bars);
    this.#prices.applyOptions({ priceLineColor: bars.at(-1)?.borderColor ?? '' });
    this.#volumes.setData(rows.map((row) => this.#volume(row)));
  }

  #bar(row: CandleRow) {
    const { rising, falling, amber, amberFill } = this.#palette as Palette;
    const [open, close] = [Number(row.open), Number(row.close)];
    const way = close >= open ? rising : falling;
    const isMissing = row.is_final && !row.is_complete;
    return {
      time: timeOf(row),
      open,
      high: Number(row.high),
      low: Number(row.low),
      close,
      color: isMissing ? amberFill : row.is_final ? way : CLEAR,
      borderColor: isMissing ? amber : way,
      wickColor: isMissing ? amber : way,
    };
  }

  #volume(row: CandleRow) {
    const { volume } = this.#palette as Palette;
    return { time: timeOf(row), value: Number(row.volume), color: volume };
  }
}
