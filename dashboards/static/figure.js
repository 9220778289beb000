// The live figure: plays posture frames back as they were measured, a moment late, and fades when they stop.
// The skeleton and its rule are those of dashboards/figure.py; `rig` carries its numbers.
import { h } from "vue";

const SILENT_MS = 3000; // no frame for this long: fade
const DELAY_MS = 1300; // play this far behind the newest frame, so that a batch a second plays without a stop
const STEP_MS = 30;
const MOST_FRAMES = 60; // a tab in the background draws nothing and must not hoard

function pose(rig, angles) {
  const turned = {};
  const seat = {};
  const pivot = {};
  const move = (bone, x, y) => {
    const [s, c] = [Math.sin(turned[bone]), Math.cos(turned[bone])];
    const [dx, dy] = [x - pivot[bone][0], y - pivot[bone][1]];
    return [seat[bone][0] + dx * c + dy * s, seat[bone][1] - dx * s + dy * c];
  };
  for (const [name, parent, at, drivers] of rig.bones) {
    const driver = drivers.find((set) => set.every(([segment]) => segment in angles));
    pivot[name] = at;
    turned[name] = driver
      ? driver.reduce((sum, [segment, weight]) => sum + weight * angles[segment], 0)
      : (turned[parent] ?? 0);
    seat[name] = parent ? move(parent, at[0], at[1]) : at;
  }
  return ([x, y, bones]) => {
    let [px, py] = [0, 0];
    for (const [bone, weight] of bones) {
      const [mx, my] = move(bone, x, y);
      px += weight * mx;
      py += weight * my;
    }
    return [rig.scale * px, -rig.scale * py];
  };
}

function smooth(points, closed) {
  const n = points.length;
  const at = (i) => (closed ? points[(i + n) % n] : points[Math.min(Math.max(i, 0), n - 1)]);
  const out = [`M${points[0][0].toFixed(1)} ${points[0][1].toFixed(1)}`];
  for (let i = 0; i < (closed ? n : n - 1); i++) {
    const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    const first = [b[0] + (c[0] - a[0]) / 6, b[1] + (c[1] - a[1]) / 6];
    const second = [c[0] - (d[0] - b[0]) / 6, c[1] - (d[1] - b[1]) / 6];
    out.push("C" + [...first, ...second, ...c].map((v) => v.toFixed(1)).join(" "));
  }
  return out.join("") + (closed ? "Z" : "");
}

export function draw(svg, rig, angles) {
  const place = pose(rig, angles);
  for (const [name, [nodes, closed]] of Object.entries(rig.parts)) {
    const d = smooth(nodes.map(place), closed);
    svg.querySelectorAll(`.body [data-part="${name}"]`).forEach((path) => path.setAttribute("d", d));
  }
  svg.querySelectorAll("[data-sensor]").forEach((dot) => {
    const [x, y] = place(rig.dots[dot.dataset.sensor]);
    dot.setAttribute("cx", x.toFixed(1));
    dot.setAttribute("cy", y.toFixed(1));
    const [ink, paper] = ["#1d2b2a", "#fff"];
    const seen = dot.dataset.sensor in angles;
    dot.setAttribute("fill", seen ? ink : paper);
    dot.setAttribute("stroke", seen ? paper : ink);
  });
}

// Angles between two frames; a segment that one of them did not see is taken from neither.
function between(a, b, share) {
  const angles = {};
  for (const segment of Object.keys(a.angles))
    if (segment in b.angles) angles[segment] = a.angles[segment] + share * (b.angles[segment] - a.angles[segment]);
  return angles;
}

export default {
  props: ["rig", "markup", "batch", "colour", "tone", "alternative"],
  emits: ["zone"],
  render: () => h("div", { class: "figure-stage" }),
  mounted() {
    this.$el.innerHTML = this.markup;
    this.svg = this.$el.querySelector("svg");
    this.frames = [];
    this.arrived = -Infinity;
    this.drawn = 0;
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.dress();
    this.take(this.batch);
    this.loop = requestAnimationFrame(this.step);
    this.$emit("zone", Intl.DateTimeFormat().resolvedOptions().timeZone);
  },
  unmounted() {
    cancelAnimationFrame(this.loop);
  },
  watch: {
    batch(batch) {
      this.take(batch);
    },
    tone() {
      this.dress();
    },
    alternative() {
      this.dress();
    },
    markup(markup) {
      this.$el.innerHTML = markup;
      this.svg = this.$el.querySelector("svg");
      this.dress();
    },
  },
  methods: {
    dress() {
      this.svg.style.color = this.colour;
      this.svg.dataset.tone = this.tone;
      this.svg.setAttribute("aria-label", this.alternative);
    },
    take(batch) {
      if (!batch || !batch.t_ms.length) return;
      const newest = this.frames.length ? this.frames[this.frames.length - 1].t : -Infinity;
      batch.t_ms.forEach((t, i) => {
        if (t <= newest) return;
        const angles = {};
        batch.segments.forEach((segment, j) => {
          if (batch.sagittal[i][j] !== null) angles[segment] = batch.sagittal[i][j];
        });
        this.frames.push({ t, angles });
      });
      if (this.frames.length > MOST_FRAMES) this.frames.splice(0, this.frames.length - MOST_FRAMES);
      this.arrived = performance.now();
      // Where playing should be now; a playhead far from it (first batch, a pause) jumps there, else it drifts.
      const target = this.frames[this.frames.length - 1].t - DELAY_MS;
      if (this.playing === undefined || Math.abs(this.playing - target) > 2000)
        this.playing = Math.max(target, this.frames[0].t);
      else this.playing += 0.2 * Math.max(-250, Math.min(250, target + 300 - this.playing));
    },
    step(now) {
      this.loop = requestAnimationFrame(this.step);
      const passed = now - this.drawn;
      if (passed < (this.still.matches ? 1000 : STEP_MS)) return;
      this.drawn = now;
      const silent = now - this.arrived > SILENT_MS;
      this.svg.classList.toggle("silent", silent);
      if (!this.frames.length || silent) return;
      const last = this.frames[this.frames.length - 1];
      this.playing = this.still.matches ? last.t : Math.min(this.playing + Math.min(passed, 500), last.t);
      while (this.frames.length > 2 && this.frames[1].t <= this.playing) this.frames.shift();
      const [a, b] = [this.frames[0], this.frames[Math.min(1, this.frames.length - 1)]];
      const share = b.t > a.t ? Math.max(0, Math.min(1, (this.playing - a.t) / (b.t - a.t))) : 1;
      draw(this.svg, this.rig, between(a, b, share));
    },
  },
};
