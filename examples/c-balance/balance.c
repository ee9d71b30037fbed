// Dear where little is left on our side, cheap where much is: at half the capacity a channel charges the middle rate,
// at nothing twice as much, at all of it the least that is allowed. One payment shall not throw the rate about: each
// cycle counts a quarter of the way from the share remembered to the share now.

#include "strategy.h"

#define VERSION "1.0.0"

#define STRING(literal) { literal, sizeof(literal) - 1 }
#define ITEMS(array) { array, sizeof(array) / sizeof *(array) }

// Shares of the capacity are in millionths. A state is one share: four bytes, the lowest first.
constexpr uint32_t WHOLE = 1000000, HALF = WHOLE / 2, STATE_BYTES = 4;
constexpr uint64_t PAGE = 65536;

// Positions among the reasons and factors.
enum { SCARCE, PLENTIFUL };
enum { MIDDLE_PPM, SHARE, FACTORS };

static const param_spec params[] = { {
    .name = STRING("middle-ppm"),
    .doc = STRING("Rate at half the capacity, ppm, where the peer's policy names none."),
    .initial = { .kind = INTEGER, .integer = 200 },
    .minimum = { true, 1 },
    .maximum = { true, 100000 },
} };
static const string reasons[] = { STRING("scarce"), STRING("plentiful") };
static const string factors[] = { STRING("middle-ppm"), STRING("share") };

static const description self = {
    .name = STRING("c-balance"),
    .version = STRING(VERSION),
    .state_version = 1,
    .params = ITEMS(params),
    .reasons = ITEMS(reasons),
    .factors = ITEMS(factors),
};

const description *describe(void) { return &self; }

// Memory: an instance lives for one call, so nothing is ever given back. `__heap_base` is where the linker ends.
extern uint8_t __heap_base;
static uintptr_t free_from = (uintptr_t)&__heap_base;

static void *allocate(uint32_t size, uint32_t align) {
    uint64_t from = ((uint64_t)free_from + align - 1) / align * align;
    uint64_t end = from + size, have = (uint64_t)__builtin_wasm_memory_size(0) * PAGE;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + PAGE - 1) / PAGE) == UINTPTR_MAX) {
        __builtin_trap();
    }
    free_from = (uintptr_t)end;
    return (void *)(uintptr_t)from;
}

void *cabi_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t size) {
    uint8_t *new = allocate(size, align);
    for (uint32_t i = 0; i < old_size && i < size; i++) {
        new[i] = ((uint8_t *)old)[i];
    }
    return new;
}

#define MANY(T, count) allocate(sizeof(T) * (count), alignof(T))

static bool equal(string a, string b) {
    uint32_t i = 0;
    while (i < a.len && i < b.len && a.at[i] == b.at[i]) {
        i++;
    }
    return i == a.len && i == b.len;
}

// The value of a parameter of that name and kind, or null.
static const param_value *find(const fee_input *input, string name, uint8_t kind) {
    for (uint32_t i = 0; i < input->params.len; i++) {
        const param *param = &input->params.at[i];
        if (param->value.kind == kind && equal(param->name, name)) {
            return &param->value;
        }
    }
    return nullptr;
}

static uint32_t share_now(const channel *row) {
    if (row->local_msat >= row->capacity_msat) {
        return WHOLE;
    }
    return (uint32_t)((double)row->local_msat / (double)row->capacity_msat * WHOLE + 0.5);
}

// The share that was remembered for a row, or the present one where there is none yet.
static uint32_t remembered(const blobs *states, uint32_t row, uint32_t now) {
    uint32_t from = row == 0 ? 0 : states->ends.at[row - 1];
    if (states->ends.at[row] - from != STATE_BYTES) {
        return now;
    }
    const uint8_t *byte = states->bytes.at + from;
    uint32_t share = byte[0] | byte[1] << 8 | byte[2] << 16 | (uint32_t)byte[3] << 24;
    return share <= WHOLE ? share : now;
}

static void remember(blobs *states, uint32_t share) {
    for (uint32_t i = 0; i < STATE_BYTES; i++) {
        states->bytes.at[states->bytes.len++] = (uint8_t)(share >> 8 * i);
    }
    states->ends.at[states->ends.len++] = states->bytes.len;
}

static uint64_t rate(const channel *row, uint64_t middle_ppm, uint32_t share) {
    uint64_t ppm = (2 * middle_ppm * (WHOLE - share) + HALF) / WHOLE;
    ppm = ppm > row->max_fee_ppm ? row->max_fee_ppm : ppm;
    return ppm < row->min_fee_ppm ? row->min_fee_ppm : ppm;
}

// A change below the host's gate would not be gossiped: then better none.
static bool worth_it(const channel *row, uint64_t ppm, double gate) {
    double change = (double)ppm - (double)row->fee_ppm;
    return change != 0 && (change < 0 ? -change : change) >= gate * row->fee_ppm;
}

static void propose(fee_decision *decision, uint32_t row, uint64_t ppm, uint64_t middle_ppm, uint32_t share) {
    factor *behind = decision->factors.at + decision->factors.len;
    behind[MIDDLE_PPM] = (factor){ MIDDLE_PPM, (double)middle_ppm };
    behind[SHARE] = (factor){ SHARE, (double)share / WHOLE };
    decision->factors.len += FACTORS;
    decision->proposals.at[decision->proposals.len++] = (proposal){
        .channel = row,
        .fee_ppm = ppm,
        .reason = share < HALF ? SCARCE : PLENTIFUL,
        .factors_end = decision->factors.len,
    };
}

// Room for an answer about all rows, which is empty until they are filled in.
static fee_result *answer(uint32_t rows) {
    fee_result *result = MANY(fee_result, 1);
    *result = (fee_result){ .decision = {
        .proposals = { MANY(proposal, rows), 0 },
        .factors = { MANY(factor, rows * FACTORS), 0 },
        .states = { { MANY(uint8_t, rows * STATE_BYTES), 0 }, { MANY(uint32_t, rows), 0 } },
    } };
    return result;
}

const fee_result *decide(const fee_input *input) {
    const param_value *middle = find(input, (string)STRING("middle-ppm"), INTEGER);
    const param_value *gate = find(input, (string)STRING("host.gossip-gate"), NUMBER);
    fee_result *result = answer(input->channels.len);
    for (uint32_t i = 0; i < input->channels.len; i++) {
        const channel *row = &input->channels.at[i];
        uint32_t now = share_now(row), before = remembered(&input->states, i, now);
        uint32_t share = before + ((int32_t)now - (int32_t)before) / 4;
        uint64_t middle_ppm = row->target_ppm.some ? row->target_ppm.value : middle ? (uint64_t)middle->integer : 200;
        uint64_t ppm = rate(row, middle_ppm, share);
        if (worth_it(row, ppm, gate ? gate->number : 0)) {
            propose(&result->decision, i, ppm, middle_ppm, share);
        }
        remember(&result->decision.states, share);
    }
    return result;
}
