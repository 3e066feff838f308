/** The formats rows can be answered in (src/query/answer-table.ts makes them). */
export const ANSWER_FORMATS = ['json', 'csv', 'arrow', 'parquet'] as const;
export type AnswerFormat = (typeof ANSWER_FORMATS)[number];
