import { Speedometer } from '../speed';

describe('Speedometer', () => {
  it('tells the speed of the last seconds, not of all', () => {
    const meter = new Speedometer();
    for (let second = 0; second <= 20; second++) {
      meter.observe(second < 10 ? second : 10 + (second - 10) * 100, second * 1000);
    }
    expect(meter.perSecond).toBe(100);
  });

  it('says nothing before there is enough to tell', () => {
    const meter = new Speedometer();
    expect(meter.perSecond).toBeNull();
    meter.observe(0, 0);
    meter.observe(50, 500);
    expect(meter.perSecond).toBeNull();
  });

  it('falls to nothing where nothing moves', () => {
    const meter = new Speedometer();
    for (let second = 0; second <= 30; second++) {
      meter.observe(Math.min(second, 5), second * 1000);
    }
    expect(meter.perSecond).toBe(0);
  });

  it('begins afresh when something is taken back', () => {
    const meter = new Speedometer();
    meter.observe(0, 0);
    meter.observe(5000, 2000);
    meter.observe(1000, 3000);
    meter.observe(3000, 5000);
    expect(meter.perSecond).toBe(1000);
  });
});
