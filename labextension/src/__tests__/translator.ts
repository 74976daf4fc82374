import type { TranslationBundle } from '@jupyterlab/translation';

/** English, with arguments put in as gettext does. */
export const nullTranslator = {
  __: (text: string, ...args: unknown[]) => text.replace(/%(\d)/g, (_, n) => String(args[+n - 1])),
  _n: (one: string, many: string, n: number, ...args: unknown[]) =>
    nullTranslator.__(n === 1 ? one : many, n, ...args)
} as unknown as TranslationBundle;
