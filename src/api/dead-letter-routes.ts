/**
 * Dead letters, for the role admin: they hold raw bytes of what an exchange sent.
 *
 *   GET /v1/dead-letters                          by time, page by page; raw bytes as base64 or hex
 *   GET /v1/dead-letters/:exchange/:offset/raw    one frame as received, as a download
 *
 * Whatever a frame holds, it is never given as text or with a type that a browser would run.
 */
import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DEAD_LETTERS, REASONS } from '#schemas/dead-letter';
import { EXCHANGES } from '#schemas/exchange';
import { type Answers, FORMAT, formatOf } from '#src/api/answers';
import { CURSOR_CHARS_MAX, type Cursors } from '#src/api/cursor';
import { envelope, sendRows } from '#src/api/envelope';
import type { History } from '#src/api/history';
import {
  bad,
  integer,
  oneOf,
  optional,
  readParameters,
  schemaOf,
  text,
  withDefault,
} from '#src/api/parameters';
import { RANGE, rangeOf } from '#src/api/range';
import { rowSchema } from '#src/api/row-schema';
import { DEAD_LETTER_COLUMNS } from '#src/query/dead-letter-columns';
import type { DeadLetterKey } from '#src/query/job';

export interface DeadLetterRoutes {
  readonly history: History;
  readonly cursors: Cursors;
  readonly answers: Answers;
  readonly nowUs: () => number;
}

const LETTERS_MAX = 1_000;
/** Bytes of each raw record in a listing, at most; the download has all of them. */
const RAW_BYTES_MAX = 4_096;
/** They are few: a year of them is asked for at once. */
const DAYS_MAX = 366;

const QUERY = {
  exchange: optional(oneOf(EXCHANGES, 'Whose log holds the frame.')),
  reason: optional(
    oneOf(
      REASONS.map(({ name }) => name),
      'Which rule was broken.',
    ),
  ),
  ...RANGE,
  limit: withDefault(integer(1, LETTERS_MAX, 'At most this many letters.'), 100),
  cursor: optional(
    text(`a cursor of at most ${CURSOR_CHARS_MAX} characters`, 'next_cursor of the page before.'),
  ),
  raw: withDefault(oneOf(['base64', 'hex'], 'How raw bytes are written.'), 'base64'),
  raw_bytes: withDefault(
    integer(0, RAW_BYTES_MAX, 'Bytes of each raw record to give; its length is always given.'),
    RAW_BYTES_MAX,
  ),
  format: FORMAT,
};

const EXCHANGE = oneOf(EXCHANGES, 'Whose log holds the frame.');
const OFFSET = integer(0, Number.MAX_SAFE_INTEGER, 'Sequence of the frame in that log.');

export function registerDeadLetters(app: FastifyInstance, routes: DeadLetterRoutes): void {
  const { history, cursors, answers, nowUs } = routes;
  app.get(
    '/v1/dead-letters',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Records that broke a rule, with the reason and their raw bytes. Role admin.',
        querystring: schemaOf(QUERY),
        response: { 200: envelope('dead_letters', rowSchema(DEAD_LETTER_COLUMNS)) },
      },
    },
    async (request, reply) => {
      const values = readParameters(QUERY, request.query);
      const { exchange, reason, limit, raw, raw_bytes, start, end } = values;
      const format = formatOf(values.format, request);
      const cursor = values.cursor === undefined ? undefined : cursors.open(values.cursor);
      const identity = { letters: true, exchange, reason, raw, raw_bytes };
      cursor?.check(identity);
      const [startUs, endUs, key] = (cursor?.position ?? []) as [number, number, DeadLetterKey];
      if (cursor !== undefined && ((start ?? startUs) !== startUs || (end ?? endUs) !== endUs)) {
        throw bad('cursor', 'belongs to another query: only the limit may change');
      }
      const range =
        cursor === undefined ? rangeOf(start, end, nowUs(), DAYS_MAX) : { startUs, endUs };
      const answer = await history.ask(DEAD_LETTERS, range.startUs, range.endUs, ({ files }) => ({
        kind: 'dead-letters',
        files,
        filter: {
          ...range,
          ...(exchange !== undefined && { exchange }),
          ...(reason !== undefined && { reason }),
        },
        ...(cursor !== undefined && { after: key }),
        limit,
        rawBytesMax: raw_bytes,
        rawAs: raw,
        format,
      }));
      const next =
        answer.last === undefined
          ? null
          : cursors.write(identity, [range.startUs, range.endUs, answer.last]);
      return sendRows(answers, reply, format, 'dead_letters', answer, { next_cursor: next });
    },
  );

  app.get(
    '/v1/dead-letters/:exchange/:offset/raw',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'One frame of a dead letter, byte by byte as received. Role admin.',
        params: Type.Object({ exchange: EXCHANGE.schema, offset: OFFSET.schema }),
        produces: ['application/octet-stream'],
        response: { 200: Type.String({ format: 'binary' }) },
      },
    },
    async (request: FastifyRequest<{ Params: { exchange: string; offset: string } }>, reply) => {
      const source = EXCHANGE.read(request.params.exchange, 'exchange');
      const offset = OFFSET.read(request.params.offset, 'offset');
      const { body } = await history.ask(DEAD_LETTERS, 0, nowUs(), ({ files }) => ({
        kind: 'raw-record',
        files: files.filter(({ metrics }) => mayHold(metrics, offset)),
        source,
        offset,
      }));
      const name = `${source.toLowerCase()}-${offset}.bin`;
      reply.header('content-disposition', `attachment; filename="${name}"`);
      return answers.sendBytes(reply, 'application/octet-stream', body);
    },
  );
}

/** Field id of `offset` in schemas/dead-letter.ts. */
const OFFSET_ID = 7;

function mayHold(
  {
    lower,
    upper,
  }: { lower: Readonly<Record<number, string>>; upper: Readonly<Record<number, string>> },
  offset: number,
): boolean {
  const bound = (hex: string | undefined): number | undefined =>
    hex === undefined ? undefined : Number(Buffer.from(hex, 'hex').readBigInt64LE());
  return (bound(lower[OFFSET_ID]) ?? 0) <= offset && offset <= (bound(upper[OFFSET_ID]) ?? offset);
}
