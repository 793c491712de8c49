//! Share groups: records acquired one by one, and every way to acknowledge them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use klamm_client::admin::{AlterConfigOp, ConfigResourceType};
use klamm_client::protocol::ApiKey;
use klamm_client::records::Codec;
use klamm_client::{
    Acknowledgement, AcknowledgementMode, Admin, ClientError, ConsumerRecord, ShareConsumer,
    ShareConsumerConfig,
};

use crate::consumer::fill;
use crate::scenario::{Bench, Scenario};

const NEEDS: &[ApiKey] = &[ApiKey::ShareGroupHeartbeat, ApiKey::ShareFetch, ApiKey::ShareAcknowledge];

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "share members accept what they polled",
        needs: NEEDS,
        run: |bench| implicit(bench).boxed_local(),
    },
    Scenario {
        name: "share records are acknowledged one by one",
        needs: NEEDS,
        run: |bench| explicit(bench).boxed_local(),
    },
];

/// A share group reads from its start on. A broker may come to know of it later than the controller.
pub async fn from_the_start(bench: &Bench, group: &str) -> Result<()> {
    let (name, value) = ("share.auto.offset.reset", "earliest");
    let admin = Admin::new(bench.client.clone());
    let change = AlterConfigOp::Set(name.to_owned(), value.to_owned());
    admin.incremental_alter_configs(ConfigResourceType::Group, group, vec![change]).await?;
    loop {
        let configs = admin.describe_configs(ConfigResourceType::Group, group, false).await?;
        if configs.iter().any(|one| one.name == name && one.value.as_deref() == Some(value)) {
            return Ok(());
        }
        bench.client.back_off(1).await;
    }
}

async fn implicit(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 2).await?;
    from_the_start(&bench, &bench.name).await?;
    let config = || ShareConsumerConfig::new(bench.name.clone()).max_poll_records(10);
    let mut members =
        [ShareConsumer::new(&bench.client, config())?, ShareConsumer::new(&bench.client, config())?];
    members.iter().for_each(|member| member.subscribe([&topic]));
    fill(&bench, &topic, 2, 50, Codec::Zstd).await?;
    let mut values = Vec::new();
    while values.len() < 100 {
        for member in &mut members {
            let polled = member.poll(Duration::from_millis(100)).await?;
            ensure!(polled.iter().all(|record| record.delivery_count == Some(1)), "{polled:?}");
            values.extend(polled.into_iter().filter_map(|record| record.value));
        }
    }
    values.sort();
    values.dedup();
    ensure!(values.len() == 100);
    for member in members {
        ensure!(member.close().await.iter().all(|(_, outcome)| outcome.is_ok()));
    }
    let mut late = ShareConsumer::new(&bench.client, config())?;
    late.subscribe([&topic]);
    ensure!(late.poll(Duration::from_secs(2)).await?.is_empty());
    Ok(())
}

async fn poll(consumer: &mut ShareConsumer, count: usize) -> Result<Vec<ConsumerRecord>> {
    let records = consumer.poll(Duration::from_secs(20)).await?;
    ensure!(records.len() == count, "{count} are due: {records:?}");
    Ok(records)
}

async fn explicit(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 1).await?;
    from_the_start(&bench, &bench.name).await?;
    fill(&bench, &topic, 1, 4, Codec::None).await?;
    let config =
        ShareConsumerConfig::new(bench.name.clone()).acknowledgement_mode(AcknowledgementMode::Explicit);
    let mut consumer = ShareConsumer::new(&bench.client, config)?;
    consumer.subscribe([&topic]);
    let first = poll(&mut consumer, 4).await?;
    let early = consumer.poll(Duration::from_millis(10)).await;
    ensure!(matches!(early, Err(ClientError::IllegalState(_))));
    consumer.acknowledge(&first[3], Acknowledgement::Renew)?;
    ensure!(consumer.commit().await.iter().all(|(_, outcome)| outcome.is_ok()));
    consumer.acknowledge(&first[0], Acknowledgement::Accept)?;
    consumer.acknowledge(&first[1], Acknowledgement::Release)?;
    consumer.acknowledge(&first[2], Acknowledgement::Reject)?;
    consumer.acknowledge(&first[3], Acknowledgement::Accept)?;
    ensure!(consumer.acknowledge(&first[0], Acknowledgement::Accept).is_err());
    let outcomes = consumer.commit().await;
    ensure!(outcomes.len() == 1 && outcomes[0].1.is_ok(), "{outcomes:?}");
    let again = poll(&mut consumer, 1).await?;
    ensure!(again[0].offset == 1 && again[0].delivery_count == Some(2), "{again:?}");
    consumer.acknowledge(&again[0], Acknowledgement::Accept)?;
    let outcomes = consumer.close().await;
    outcomes.into_iter().next().context("the last one is told")?.1?;
    Ok(())
}
