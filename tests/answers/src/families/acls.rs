//! CreateAcls, DescribeAcls and DeleteAcls where no authorizer is set.

use anyhow::Result;
use protocol::messages::create_acls_request::AclCreation;
use protocol::messages::delete_acls_request::DeleteAclsFilter;
use protocol::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};

use crate::session::Session;

const ANY: i8 = 1;
const TOPIC: i8 = 2;
const READ: i8 = 3;
const ALLOW: i8 = 3;

pub fn ask(session: &mut Session) -> Result<()> {
    let creation = AclCreation {
        resource_type: TOPIC,
        resource_name: "plain".to_owned(),
        principal: "User:ann".to_owned(),
        host: "*".to_owned(),
        operation: READ,
        permission_type: ALLOW,
        ..Default::default()
    };
    let describing = DescribeAclsRequest {
        resource_type_filter: ANY,
        operation: ANY,
        permission_type: ANY,
        ..Default::default()
    };
    let filter = DeleteAclsFilter {
        resource_type_filter: ANY,
        operation: ANY,
        permission_type: ANY,
        ..Default::default()
    };
    for version in 1..=3 {
        let request = CreateAclsRequest { creations: vec![creation.clone()], ..Default::default() };
        session.ask(&format!("create, version {version}"), version, request)?;
        session.ask(&format!("describe, version {version}"), version, describing.clone())?;
        let request = DeleteAclsRequest { filters: vec![filter.clone()], ..Default::default() };
        session.ask(&format!("delete, version {version}"), version, request)?;
    }
    let two = CreateAclsRequest { creations: vec![creation.clone(), creation], ..Default::default() };
    session.ask("create two", 3, two)?;
    session.ask("create nothing", 3, CreateAclsRequest::default())?;
    session.ask(
        "delete with two filters",
        3,
        DeleteAclsRequest { filters: vec![filter.clone(), filter], ..Default::default() },
    )?;
    session.ask("delete nothing", 3, DeleteAclsRequest::default())?;
    Ok(())
}
