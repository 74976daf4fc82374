import * as React from 'react';

import type { IPanelContext } from './context';

/** The way from the tier's root to the directory that is shown. */
export function Breadcrumbs({ context }: { context: IPanelContext }): React.JSX.Element {
  const { browser } = context.model;
  const parts = browser.key ? browser.key.split('/') : [];
  const crumbs = [
    { name: `${browser.tier}:`, key: '' },
    ...parts.map((name, i) => ({ name, key: parts.slice(0, i + 1).join('/') }))
  ];
  return (
    <nav className="jp-Storage-crumbs" aria-label={context.trans.__('Folders above')}>
      <ol>
        {crumbs.map(({ name, key }, i) => (
          <li key={key}>
            <button
              title={name}
              aria-current={i === crumbs.length - 1 ? 'page' : undefined}
              onClick={() => void browser.open(browser.tier, key)}
            >
              {name}
            </button>
          </li>
        ))}
      </ol>
    </nav>
  );
}
