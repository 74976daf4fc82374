import { editIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IPanelContext } from './context';

/** The way from the tier's root to the directory that is shown. */
export function Breadcrumbs({ context }: { context: IPanelContext }): React.JSX.Element {
  const { trans } = context;
  const { browser } = context.model;
  const parts = browser.key ? browser.key.split('/') : [];
  const crumbs = [
    { name: `${browser.tier}:`, key: '' },
    ...parts.map((name, i) => ({ name, key: parts.slice(0, i + 1).join('/') }))
  ];
  return (
    <nav
      className="jp-Storage-crumbs"
      aria-label={trans.__('Folders above')}
      // Beside the names; for the keyboard there is the button.
      onClick={event => {
        if (!(event.target as Element).closest('button')) {
          browser.typePath(true);
        }
      }}
    >
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
      <button
        className="jp-Storage-editPath"
        title={trans.__('Type a path (/)')}
        aria-label={trans.__('Type a path')}
        onClick={() => browser.typePath(true)}
      >
        <editIcon.react tag="span" className="jp-Storage-icon" />
      </button>
    </nav>
  );
}
