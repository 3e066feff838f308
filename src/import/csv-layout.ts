/**
 * Which column of a trade file holds what, from its header or, without one, from the documented
 * order of the public dumps (data.binance.vision, spot).
 */
import { EXIT, UserError } from '#src/base/errors';

export type CsvRecordKind = 'trades' | 'aggTrades';

/** Names the public dumps and recorders give a column; compared without case, `_`, `-` and space. */
const NAMES = {
  id: ['id', 'tradeId'],
  aggregateId: ['aggTradeId', 'aggregateTradeId', 'aggId', 'id'],
  price: ['price'],
  quantity: ['qty', 'quantity'],
  time: ['time', 'transactTime', 'transactionTime', 'tradeTime'],
  isBuyerMaker: ['isBuyerMaker', 'isBuyerMarketMaker', 'buyerMaker'],
  firstId: ['firstId', 'firstTradeId'],
  lastId: ['lastId', 'lastTradeId'],
} as const;

type Field = keyof typeof NAMES;

/** Fields in the order of the frame tag (src/log/frame.ts). */
const FIELDS: Readonly<Record<CsvRecordKind, readonly Field[]>> = {
  trades: ['id', 'price', 'quantity', 'time', 'isBuyerMaker'],
  aggTrades: ['aggregateId', 'price', 'quantity', 'time', 'isBuyerMaker', 'firstId', 'lastId'],
};

/** The dumps' own order, for files without a header. */
const DUMP_ORDER: Readonly<Record<CsvRecordKind, string>> = {
  trades: 'id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch',
  aggTrades: 'aggId,price,qty,firstId,lastId,time,isBuyerMaker,isBestMatch',
};

export interface CsvLayout {
  readonly hasHeader: boolean;
  /** Column indexes as the frame tag lists them. */
  readonly columns: readonly number[];
  /** Index of a column with the symbol, or -1. */
  readonly symbolColumn: number;
}

function normalized(name: string): string {
  return name.replace(/[_\s"'-]/g, '').toLowerCase();
}

function position(header: readonly string[], names: readonly string[]): number {
  for (const name of names) {
    const at = header.indexOf(normalized(name));
    if (at >= 0) return at;
  }
  return -1;
}

function fromHeader(line: string, kind: CsvRecordKind, where: string): CsvLayout {
  const header = line.split(',').map(normalized);
  const columns = FIELDS[kind].map((field) => {
    const at = position(header, NAMES[field]);
    if (at < 0) {
      const wanted = NAMES[field].join(', ');
      const found = line.length > 200 ? `${line.slice(0, 200)}...` : line;
      throw new UserError(
        EXIT.data,
        `${where}: the header of a ${kind} file needs a column named one of ${wanted}, and this one is ${JSON.stringify(found)}`,
      );
    }
    return at;
  });
  return { hasHeader: true, columns, symbolColumn: position(header, ['symbol']) };
}

const INTEGER = /^\d+$/;
const BOOLEAN = /^(true|false|0|1)$/i;

/**
 * The layout a file's first line tells. A first byte that is no digit makes it a header; else it
 * has to look like the dump's rows, so that a file of another kind is refused before it fills the
 * dead letters.
 */
export function csvLayout(firstLine: string, kind: CsvRecordKind, where: string): CsvLayout {
  if (!/^\d/.test(firstLine)) return fromHeader(firstLine, kind, where);
  const order = DUMP_ORDER[kind].split(',');
  const columns = FIELDS[kind].map((field) => position(order.map(normalized), NAMES[field]));
  const row = firstLine.split(',');
  const [id, , , time, isBuyerMaker, firstId, lastId] = columns.map((at) => row[at] ?? '');
  const integers = kind === 'trades' ? [id, time] : [id, time, firstId, lastId];
  if (
    row.length > order.length ||
    !integers.every((text) => INTEGER.test(text as string)) ||
    !BOOLEAN.test(isBuyerMaker as string)
  ) {
    throw new UserError(
      EXIT.data,
      `${where}: the first line is neither a header nor a row of the columns ${DUMP_ORDER[kind]}`,
    );
  }
  return { hasHeader: false, columns, symbolColumn: -1 };
}
