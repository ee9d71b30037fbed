// The fee strategy's side of wit/v1/strategy.wit in C: each record as the canonical ABI lays it out in memory.
//
// Nothing is packed and nothing is copied: on wasm32 a C compiler aligns these structs as the canonical ABI does. A
// string or list is a pointer and a length, a bool or enum one byte, an option or variant one byte and then its
// payload. What each field means, and in which unit, stands in the contract.

#ifndef REVENUE_OPS_STRATEGY_H
#define REVENUE_OPS_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A list<T>, or a string: a list of bytes in UTF-8.
#define LIST(T) struct { T *at; uint32_t len; }
#define OPTION(T) struct { bool some; T value; }

typedef LIST(const char) string;
typedef LIST(uint8_t) bytes;
typedef OPTION(uint32_t) option_u32;
typedef OPTION(uint64_t) option_u64;
typedef OPTION(double) option_f64;

enum { FLAG, INTEGER, NUMBER, TEXT };

typedef struct {
    uint8_t kind;
    union { bool flag; int64_t integer; double number; string text; };
} param_value;

typedef struct { string name; param_value value; } param;

typedef struct {
    string name, doc;
    param_value initial;
    option_f64 minimum, maximum;
} param_spec;

typedef struct {
    string name, version;
    uint32_t state_version;
    LIST(const param_spec) params;
    LIST(const string) signals, reasons, factors;
} description;

typedef struct { bytes bytes; LIST(uint32_t) ends; } blobs;

typedef struct { string name; LIST(double) values; } signal;

typedef enum : uint8_t { LOCAL, REMOTE } opener;
typedef enum : uint8_t { SOURCE, SINK, BALANCED } flow_class;
typedef enum : uint8_t {
    NONE, PUBLISHED, LIMITED, UNCHANGED, SUPPRESSED, RATE_LIMITED, REFUSED, DRY_RUN
} verdict;

typedef struct {
    uint64_t start_s, end_s;
    uint32_t fee_ppm, live_s, settled, failed_liquidity, failed_downstream;
    uint64_t out_msat, fee_msat;
} fee_interval;

typedef struct {
    uint64_t pseudonym, peer_pseudonym;
    opener opener;
    bool public, connected;
    uint32_t age_blocks;
    uint64_t capacity_msat, local_msat, spendable_msat, receivable_msat;
    uint32_t htlcs_in, htlcs_out, htlc_slots;
    uint32_t fee_ppm, base_fee_msat;
    uint64_t htlc_max_msat;
    option_u32 peer_fee_ppm;
    uint32_t min_fee_ppm, max_fee_ppm;
    option_u32 target_ppm;
    uint64_t in_day_msat, out_day_msat, in_week_msat, out_week_msat;
    uint64_t earned_day_msat, earned_week_msat, sourced_week_msat;
    uint32_t forwards_out_week, forwards_in_week, forwards_out_total;
    option_u64 last_out_s;
    flow_class flow;
    double flow_ratio, velocity, confidence;
    option_u32 rebalance_cost_ppm;
    verdict last_verdict;
    option_u32 last_proposed_ppm;
    uint64_t last_change_s;
    uint32_t updates_left, intervals_end;
} channel;

typedef struct {
    uint64_t now_s;
    uint32_t cycle_s;
    uint64_t seed;
    uint32_t block_height;
    uint32_t feerate_perkb, feerate_mean_day_perkb;
    LIST(uint32_t) feerate_hours_perkb;
    uint64_t node_capacity_msat, node_local_msat, node_earned_day_msat, node_earned_week_msat;
    LIST(param) params;
    LIST(channel) channels;
    LIST(fee_interval) intervals;
    LIST(signal) signals;
    blobs states;
    bytes node_state;
} fee_input;

typedef struct {
    uint32_t channel;
    uint64_t fee_ppm;
    option_u32 base_fee_msat;
    option_u64 htlc_max_msat;
    uint32_t reason, factors_end;
} proposal;

typedef struct { uint32_t name; double value; } factor;

typedef struct {
    LIST(proposal) proposals;
    LIST(factor) factors;
    blobs states;
    bytes node_state;
} fee_decision;

// result<fee-decision, string>
typedef struct {
    bool failed;
    union { fee_decision decision; string error; };
} fee_result;

// Worked out from the contract by the rules of the canonical ABI, not by this compiler: sizes, and where the fields are
// before which padding could hide a slip.
static_assert(sizeof(param_value) == 16 && sizeof(param) == 24 && sizeof(param_spec) == 64);
static_assert(sizeof(description) == 52 && sizeof(blobs) == 16 && sizeof(signal) == 16);
static_assert(sizeof(fee_interval) == 56 && sizeof(channel) == 272 && sizeof(fee_input) == 136);
static_assert(sizeof(proposal) == 48 && sizeof(factor) == 16);
static_assert(sizeof(fee_decision) == 40 && sizeof(fee_result) == 44);

static_assert(offsetof(fee_interval, failed_downstream) == 32 && offsetof(fee_input, feerate_mean_day_perkb) == 32);
static_assert(offsetof(channel, connected) == 18 && offsetof(channel, base_fee_msat) == 72);
static_assert(offsetof(channel, max_fee_ppm) == 100 && offsetof(channel, forwards_out_total) == 176);
static_assert(offsetof(channel, last_verdict) == 240 && offsetof(channel, intervals_end) == 268);
static_assert(offsetof(proposal, factors_end) == 44 && offsetof(fee_result, decision) == 4);

// Both answer with the address of what they return.
[[clang::export_name("revenue-ops:strategy/fee@1.0.0#describe")]] const description *describe(void);
[[clang::export_name("revenue-ops:strategy/fee@1.0.0#decide")]] const fee_result *decide(const fee_input *input);

// How the host gets room for the input.
[[clang::export_name("cabi_realloc")]] void *cabi_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t size);

#endif
