/**
 * The JSON object around rows that came as ready-made bytes, and the same facts as headers where the
 * rows are CSV, Arrow or Parquet.
 */
import { type TSchema, Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';
import type { Answers } from '#src/api/answers';
import type { HistoryAnswer } from '#src/api/history';
import type { AnswerFormat } from '#src/query/answer-format';

export interface Extras {
  /** null at the end; undefined where there are no pages. */
  readonly next_cursor?: string | null;
}

/** The answer's schema: `name` is the list of rows. */
export function envelope(name: string, row: TSchema): TSchema {
  return Type.Object({
    [name]: Type.Array(row),
    next_cursor: Type.Optional(
      Type.Union([Type.String(), Type.Null()], {
        description: 'For the next page; null where there is none.',
      }),
    ),
    epoch: Type.Integer({ description: 'The epoch whose files were read.' }),
    committed_at: Type.String({ format: 'date-time', description: 'When it was committed.' }),
  });
}

export function sendRows(
  answers: Answers,
  reply: FastifyReply,
  format: AnswerFormat,
  name: string,
  { body, view }: HistoryAnswer,
  extras: Extras,
): FastifyReply {
  const committedAt = new Date(view.committedUs / 1000).toISOString();
  if (format !== 'json') {
    reply.headers({ 'x-epoch': String(view.epoch), 'x-committed-at': committedAt });
    if (typeof extras.next_cursor === 'string') reply.header('x-next-cursor', extras.next_cursor);
    return answers.send(reply, format, name, body);
  }
  const rest = JSON.stringify({ ...extras, epoch: view.epoch, committed_at: committedAt });
  const whole = [Buffer.from(`{"${name}":`), body, Buffer.from(`,${rest.slice(1)}`)];
  return answers.send(reply, format, name, Buffer.concat(whole));
}
