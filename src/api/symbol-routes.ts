/** The instruments: `GET /v1/symbols`, in the order of configs/instruments.yaml. */
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Instrument } from '#schemas/instrument';

const SYMBOLS = Type.Object({
  symbols: Type.Array(
    Type.Object({
      symbol: Type.String(),
      exchange: Type.String(),
      native_symbol: Type.String(),
      base_asset: Type.String(),
      quote_asset: Type.String(),
    }),
  ),
});

function symbolList(instruments: readonly Instrument[]): Static<typeof SYMBOLS> {
  return {
    symbols: instruments.map((i) => ({
      symbol: i.symbol,
      exchange: i.exchange,
      native_symbol: i.nativeSymbol,
      base_asset: i.baseAsset,
      quote_asset: i.quoteAsset,
    })),
  };
}

export function registerSymbols(app: FastifyInstance, instruments: readonly Instrument[]): void {
  app.get(
    '/v1/symbols',
    { schema: { summary: 'The instruments.', response: { 200: SYMBOLS } } },
    async () => symbolList(instruments),
  );
}
