/** The chart library, which the gateway serves beside these files: its types come from the package. */
export * from 'lightweight-charts';
