// The page on a phone and on a desk, by day and by night: it fits, and there is a picture to look at.
import assert from 'node:assert/strict';

const SIZES = [
  ['phone', { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }],
  ['desk', { viewport: { width: 1180, height: 760 } }],
];

// Nothing sticks out, nothing is too small for a finger, and the two schemes differ.
async function measure(person) {
  return person.page.evaluate(() => {
    const visible = (element) => element.checkVisibility() && element.getBoundingClientRect().width > 0;
    const shown = [...document.querySelectorAll('button, input, textarea, #status, #title')].filter(visible);
    return {
      overflow: [document.documentElement, document.querySelector('#scroll')]
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
        .map(({ id }) => id || 'page'),
      outside: shown
        .filter((element) => !element.closest('#people')) // a strip that is scrolled sideways
        .filter((element) => {
          const { left, right, top, bottom } = element.getBoundingClientRect();
          return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
        })
        .map(({ id }) => id),
      small: shown
        .filter((element) => element.matches('button, input, textarea') && element.getBoundingClientRect().height < 44)
        .map(({ id, className }) => id || className),
      paper: getComputedStyle(document.body).backgroundColor,
    };
  });
}

export const checks = SIZES.map(([size, device]) => [`looks: ${size}, light and dark`, async (scene) => {
  const papers = [];
  for (const colorScheme of ['light', 'dark']) {
    const room = `${scene.room} ${colorScheme}`;
    const ann = await scene.visitor(`ann ${colorScheme}`, { ...device, colorScheme });
    const atDoor = await measure(ann);
    await ann.photograph(`${size}-${colorScheme}-door`);
    await ann.enter(room);
    const bob = await scene.visitor(`bob ${colorScheme}`);
    await bob.enter(room);
    const eve = await scene.visitor(`a long name ${colorScheme}`);
    await eve.enter(room);
    await bob.say('Has everybody finished chapter four?');
    await ann.reads('said', bob, 'chapter four');
    await ann.say('Nearly. The long footnote about lighthouses slowed me down.');
    await ann.say('Worth it, though.');
    await eve.reads('said', ann, 'Worth it');
    await eve.say(`A word that nobody can break: ${'lighthouse'.repeat(12)}`);
    await ann.reads('said', eve, 'nobody can break');
    await eve.say(`/w ${ann.name} shall we let bob choose the next one?`);
    await ann.reads('whispered', eve, 'let bob choose');
    await ann.page.click(`#people li[data-user=${JSON.stringify(eve.name)}] button`);
    await ann.say('Good idea.');
    await ann.page.locator('#log li[data-kind="whispered"][data-own]').waitFor();
    await bob.page.close();
    await ann.notices(bob, 'away');
    await eve.page.locator('#text').pressSequentially('I will ask him', { delay: 200 });
    await ann.typing(`${eve.name} is typing…`);
    const inside = await measure(ann);
    await ann.photograph(`${size}-${colorScheme}-room`);

    for (const { overflow, outside, small } of [atDoor, inside]) {
      assert.deepEqual({ overflow, outside, small }, { overflow: [], outside: [], small: [] });
    }
    papers.push(inside.paper);
  }
  assert.notEqual(papers[0], papers[1], 'light and dark look the same');
}]);
