import { treeViewIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IPanelContext } from './context';

/** Pause in typing after which the server is asked, in milliseconds. */
const TYPING_PAUSE = 150;
/** The same for folders below, which is more work. */
const SEARCH_PAUSE = 400;

/** The box that filters a directory by name while it is typed in, or searches below it. */
export function Filter({ context }: { context: IPanelContext }): React.JSX.Element | null {
  const { model, trans } = context;
  const { browser } = model;
  const shown = browser.filter !== null;
  const [text, setText] = React.useState('');
  const input = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => {
    setText('');
    if (shown) {
      input.current?.focus();
    }
  }, [shown]);
  React.useEffect(() => {
    if (!shown || text === browser.filter) {
      return undefined;
    }
    const pause = browser.below ? SEARCH_PAUSE : TYPING_PAUSE;
    const timer = window.setTimeout(() => void browser.setFilter(text), pause);
    return () => window.clearTimeout(timer);
  }, [browser, shown, text]);
  if (!shown) {
    return null;
  }
  const onKey = (event: React.KeyboardEvent) => {
    if (event.key === 'Escape') {
      void browser.setFilter(null).then(() => browser.focus(browser.active, 'keep'));
    } else if (event.key === 'ArrowDown' || event.key === 'Enter') {
      browser.focus(browser.active);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="jp-Storage-filter" role="search">
      <input
        ref={input}
        type="search"
        value={text}
        spellCheck={false}
        placeholder={browser.below ? trans.__('Search by name') : trans.__('Filter by name')}
        title={trans.__('Part of the name, or a pattern with * and ?')}
        aria-label={
          browser.below
            ? trans.__('Search %1 and below by name', browser.path)
            : trans.__('Filter %1 by name', browser.path)
        }
        onChange={event => setText(event.target.value)}
        onKeyDown={onKey}
      />
      <button
        className="jp-Storage-toggle"
        aria-pressed={browser.below}
        title={trans.__('Look in folders below too')}
        aria-label={trans.__('Look in folders below too')}
        onClick={() => {
          void browser.setBelow(!browser.below);
          input.current?.focus();
        }}
      >
        <treeViewIcon.react tag="span" className="jp-Storage-icon" />
      </button>
    </div>
  );
}
